"""What an ONNX file of ours says about itself: export writes it, the runtime reads it."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.latent import DISTRIBUTIONS, parse_digits

if TYPE_CHECKING:
    from edgegan.runtime.words import Words

PREFIX = "edgegan."
FORMAT_VERSION = 1
FORMAT_VERSION_WITH_WORDS = 2  # of files that take a condition, which no older runtime gives them
GENERATOR = "generator"
DISCRIMINATOR = "discriminator"
PARTS = (GENERATOR, DISCRIMINATOR)
WORDS_KEY = f"{PREFIX}words"

# How much a file may ask for, which may be another's: more would take a machine's memory.
MOST_LATENT_SIZE = 65_536
MOST_IMAGE_SIZE = 4_096
MOST_COUNT = 10**15 - 1
MOST_CHARACTERS = 200  # of a name, which is printed
MOST_VALUE = 65_536  # of a pixel, as networks have it
LEAST_VALUE_RANGE = 1e-3


@dataclass(frozen=True)
class TrainingPictures:
    """Which pictures a generator was trained on, or its teacher: what it can be measured against.

    Attributes:
        digest: of the whole set, the held-out part too, as the trainer packs it; None where there
            were several sets.
        split: the version of what parted it.
        held_out, validation: the shares that were not trained on, 0 up to but not including 1.
        crop_from: the size that pictures were cropped from; None where they were not.
    """

    digest: str | None
    split: int
    held_out: float
    validation: float
    crop_from: int | None

    def to_strings(self) -> dict[str, str]:
        """Return what is known as an ONNX file holds it, under keys of our own prefix."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return {f"{PREFIX}pictures_{name}": str(value) for name, value in known.items()}

    @classmethod
    def from_strings(cls, strings: Mapping[str, str], path: str | Path) -> TrainingPictures | None:
        """Read what to_strings wrote; None where nothing was, as in files of older versions.

        Raises:
            UserError: a key is missing, or its value is malformed.
        """
        prefix = f"{PREFIX}pictures_"
        found = {
            key[len(prefix) :]: text for key, text in strings.items() if key.startswith(prefix)
        }
        if not found:
            return None
        for name, (pattern, expected) in _PICTURES.items():
            text = found.get(name)
            if text is None and name not in ("digest", "crop_from"):
                raise _missing(f"pictures_{name}", path)
            if text is not None and not re.fullmatch(pattern, text):
                raise _malformed(f"pictures_{name}", text, expected, path)
        return cls(
            digest=found.get("digest"),
            split=int(found["split"]),
            held_out=float(found["held_out"]),
            validation=float(found["validation"]),
            crop_from=int(found["crop_from"]) if "crop_from" in found else None,
        )


_SHARE = (r"0(\.[0-9]{1,20})?|[1-9](\.[0-9]{1,20})?e-[0-9]{1,3}", "a share of 0 up to 1")
_PICTURES = {  # by name: what a value looks like, and in words
    "digest": ("[0-9a-f]{64}", "a SHA-256 in 64 hexadecimal digits"),
    "split": ("[1-9][0-9]{0,8}", "a whole number of at least 1"),
    "held_out": _SHARE,
    "validation": _SHARE,
    "crop_from": ("[1-9][0-9]{0,3}", "a whole number of at least 1 and at most 9999"),
}


@dataclass(frozen=True)
class ModelMetadata:
    """All that is needed to run a generator, or the discriminator that it was trained against.

    Attributes:
        recipe: name of the recipe it was trained with.
        objective: name of the adversarial objective, or "distillation".
        latent_size: length of a latent.
        latent_distribution: "normal" or "uniform".
        image_size: height and width of an image, in pixels.
        value_range: least and greatest value of a pixel, as the networks take and give it.
        images_seen: training images that the discriminator was shown, or a student.
        part: "generator", also where a file does not say, or "discriminator".
        pictures: what it was trained on; None where a file does not say.
        words: what it takes as a condition; None where it takes a latent or an image alone.
    """

    recipe: str
    objective: str
    latent_size: int
    latent_distribution: str
    image_size: int
    value_range: tuple[float, float]
    images_seen: int
    part: str = GENERATOR
    pictures: TrainingPictures | None = None
    words: Words | None = None

    @property
    def format_version(self) -> int:
        """Version of this record: it rises only where an older runtime could not draw rightly."""
        return FORMAT_VERSION if self.words is None else FORMAT_VERSION_WITH_WORDS

    def to_strings(self) -> dict[str, str]:
        """Return the metadata as an ONNX file holds it: strings, under keys of our own prefix."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        pictures, words = fields.pop("pictures"), fields.pop("words")
        fields["value_range"] = ",".join(map(repr, map(float, self.value_range)))
        fields["format_version"] = self.format_version
        strings = {PREFIX + name: str(value) for name, value in fields.items()}
        if words is not None:
            strings[WORDS_KEY] = words.to_json()
        return {**strings, **(pictures.to_strings() if pictures else {})}

    @classmethod
    def from_strings(
        cls, strings: Mapping[str, str], path: str | Path, part: str = GENERATOR
    ) -> ModelMetadata:
        """Read what to_strings wrote; keys without our prefix are ignored.

        Args:
            strings: an ONNX file's metadata.
            path: that file, to be named in errors.
            part: what the file is expected to hold.

        Raises:
            UserError: the file is not one of ours, a key is missing or its value malformed, the
                file holds the other part, or it was written by a newer version.
        """
        if not any(key.startswith(PREFIX) for key in strings):
            raise UserError(
                f"{path} is not a {part} of this project: its metadata has no {PREFIX}* keys, "
                "which edgegan export writes"
            )

        def read(name: str) -> str:
            if PREFIX + name not in strings:
                raise _missing(name, path)
            return strings[PREFIX + name]

        def whole_number(name: str, least: int, most: int = MOST_COUNT) -> int:
            value = parse_digits(read(name))
            if value is None or not least <= value <= most:
                raise malformed(name, f"a whole number of at least {least} and at most {most}")
            return value

        def printable(name: str) -> str:
            text = read(name)
            if not (text.isprintable() and len(text) <= MOST_CHARACTERS):
                raise malformed(name, f"a name of at most {MOST_CHARACTERS} printable characters")
            return text

        def malformed(name: str, expected: str) -> UserError:
            return _malformed(name, strings[PREFIX + name], expected, path)

        # First, since a newer version may have changed any of the others.
        version = whole_number("format_version", least=1)
        if version > FORMAT_VERSION_WITH_WORDS:
            newest = f"at most {FORMAT_VERSION_WITH_WORDS}: update edgegan to run it"
            raise malformed("format_version", newest)
        if version == FORMAT_VERSION_WITH_WORDS and WORDS_KEY not in strings:
            raise _missing("words", path)
        if version == FORMAT_VERSION and WORDS_KEY in strings:
            with_words = f"{FORMAT_VERSION_WITH_WORDS}, as in all files with {WORDS_KEY}"
            raise malformed("format_version", with_words)
        found = read("part") if PREFIX + "part" in strings else GENERATOR
        if found not in PARTS:
            raise malformed("part", " or ".join(PARTS))
        if found != part:
            raise UserError(f"{path} is a {found}, expected a {part}")
        distribution = read("latent_distribution")
        if distribution not in DISTRIBUTIONS:
            raise malformed("latent_distribution", " or ".join(DISTRIBUTIONS))
        try:
            low, high = map(float, read("value_range").split(","))
        except ValueError:
            low = high = math.nan
        if not (-MOST_VALUE <= low <= high - LEAST_VALUE_RANGE and high <= MOST_VALUE):
            raise malformed("value_range", "two numbers, the lower first, such as -1.0,1.0")
        return cls(
            recipe=printable("recipe"),
            objective=printable("objective"),
            latent_size=whole_number("latent_size", least=1, most=MOST_LATENT_SIZE),
            latent_distribution=distribution,
            image_size=whole_number("image_size", least=1, most=MOST_IMAGE_SIZE),
            value_range=(low, high),
            images_seen=whole_number("images_seen", least=0),
            part=found,
            pictures=TrainingPictures.from_strings(strings, path),
            words=_words(strings[WORDS_KEY], path) if WORDS_KEY in strings else None,
        )


def _words(text: str, path: str | Path) -> Words:
    from edgegan.runtime.words import Words  # most files have none

    try:
        return Words.from_json(text)
    except ValueError as error:
        raise _malformed("words", text, str(error), path) from error


def _missing(name: str, path: str | Path) -> UserError:
    return UserError(f"{path} has no {PREFIX}{name} in its metadata")


def _malformed(name: str, text: str, expected: str, path: str | Path) -> UserError:
    return UserError(
        f"{path} has {PREFIX}{name} = {quoted(text)} in its metadata, expected {expected}"
    )
