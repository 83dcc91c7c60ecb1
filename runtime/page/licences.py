"""The licences of what the page is made of, as they have to stand on it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_bytes
from edgegan.runtime.page.onnxruntime_web import NAME, VERSION
from edgegan.runtime.without_telemetry import onnxruntime

TABLES = Path(__file__).parent / "modules" / "ziggurat.js"
CHECKOUT = Path(__file__).parents[2]


def licences() -> list[dict[str, str]]:
    """Return the licence of each part: a Licence of modules/parts.js.

    onnxruntime-web's package names its licence and brings no text; the text, and the notices of
    what is compiled into it, are those of the onnxruntime that is installed here.

    Raises:
        UserError: a text is not where it is installed.
    """
    onnxruntimes = Path(onnxruntime.__file__).parent
    texts = [
        ("edgegan", "MIT", _own()),
        (f"{NAME} {VERSION}", "MIT", _text(onnxruntimes / "LICENSE")),
        (
            f"what {NAME} is built of",
            f"notices of onnxruntime {onnxruntime.__version__}",
            _text(onnxruntimes / "ThirdPartyNotices.txt"),
        ),
        ("the tables that normal numbers are drawn by, of numpy", "BSD", _first_comment(TABLES)),
    ]
    return [{"part": part, "name": name, "text": text} for part, name, text in texts]


def _own() -> str:
    """What is installed with the package or, in a checkout, stands at its top."""
    if (CHECKOUT / "setup.py").exists():
        return _text(CHECKOUT / "LICENSE")
    text = metadata.distribution("edgegan").read_text("licenses/LICENSE")
    if text is None:
        raise UserError("edgegan is installed without its LICENSE: install it again")
    return text


def _text(path: Path) -> str:
    return read_bytes(path).decode("utf-8", errors="replace")


def _first_comment(path: Path) -> str:
    """The text of the comment that a JavaScript module begins with."""
    comment, _, _ = _text(path).partition("*/")
    return "\n".join(line[3:] for line in comment.splitlines()[1:])
