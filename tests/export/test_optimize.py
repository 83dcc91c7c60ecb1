"""The command that writes our files anew: they stay what they were, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgegan.export import optimize, pipeline, reading, verify
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator, from_bytes
from edgegan.runtime.quality import decibels
from export_help import IMAGE_SIZE, METADATA, generator, original

Make = Callable[..., Path]


@pytest.fixture
def one_grid(monkeypatch: pytest.MonkeyPatch, cascade: Path) -> None:
    """Faces counted in one grid, since a hundred take half a minute."""
    monkeypatch.setattr(verify, "FACE_SEEDS", range(1))


def exported(path: Path, level: int, target: str = "cpu", float16: bool = False) -> Path:
    """A file of the small generator as the exporter writes it."""
    pipeline.export(original(generator()), path, target, level, float16, 25)
    return path


@pytest.mark.usefixtures("one_grid")
@pytest.mark.parametrize("given", [0, 1, 2])
@pytest.mark.parametrize("asked", [2, 3])
def test_a_file_becomes_what_the_exporter_would_have_written(
    given: int, asked: int, tmp_path: Path
) -> None:
    source, output = exported(tmp_path / "given.onnx", given), tmp_path / "made.onnx"
    arguments = ["--optimize", str(asked), *(["--quality=25dB"] if asked == 3 else [])]
    assert optimize.main([str(source), "-o", str(output), *arguments]) == 0
    assert output.read_bytes() == exported(tmp_path / "other.onnx", asked).read_bytes()


@pytest.mark.usefixtures("one_grid")
def test_integers_and_float32_may_read_the_same_bytes(make_generator: Make, tmp_path: Path) -> None:
    """Of one layer's phases some in integers, as the table of single layers tries them."""
    source, output = make_generator(), tmp_path / "made.onnx"
    assert optimize.main([str(source), "-o", str(output), "--optimize", "3"]) == 0
    made, given = (Generator.load(path, "cpu").images(5, 30) for path in (output, source))
    assert decibels(made, from_bytes(given)) > 40


def test_bytes_become_values_again_at_level_0(tmp_path: Path) -> None:
    source, output = exported(tmp_path / "given.onnx", 2), tmp_path / "made.onnx"
    optimize.main([str(source), "-o", str(output), "--optimize", "0"])
    (image,) = onnx.load(str(output)).graph.output
    assert image.type.tensor_type.elem_type == TensorProto.FLOAT
    assert [size.dim_value for size in image.type.tensor_type.shape.dim[1:]] == [3, 16, 16]
    made, given = (Generator.load(path, "cpu").images(5, 30) for path in (output, source))
    np.testing.assert_array_equal(made, given)


def test_weights_stored_in_float16_are_weights_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = exported(tmp_path / "given.onnx", 1, float16=True), tmp_path / "made.onnx"
    optimize.main([str(source), "-o", str(output), "--optimize", "1"])
    assert output.stat().st_size > 1.5 * source.stat().st_size
    said = capsys.readouterr().out.splitlines()
    sizes = [f"{path.stat().st_size / 1e6:.2f} MB" for path in (output, source)]
    assert said == [
        f"{output}: {sizes[0]} from {source}, {sizes[1]}",
        "parity with given.onnx on 64 latents: 0.0e+00",
    ]
    again = tmp_path / "again.onnx"
    optimize.main([str(output), "-o", str(again), "--optimize", "1", "--float16"])
    assert "float16 storage changes nothing" in capsys.readouterr().out
    made, given = (Generator.load(path, "cpu").images(5, 30) for path in (again, source))
    np.testing.assert_array_equal(made, given)


def test_all_that_the_metadata_says_is_kept(tmp_path: Path) -> None:
    source, output = exported(tmp_path / "given.onnx", 1), tmp_path / "made.onnx"
    model = onnx.load(str(source))
    helper.set_model_props(model, {**METADATA.to_strings(), "edgegan.later": "1", "licence": "MIT"})
    onnx.save(model, str(source))
    optimize.main([str(source), "-o", str(output), "--target", "web"])
    assert onnx.load(str(output)).metadata_props == model.metadata_props


def test_a_discriminator_is_verified_on_noise(
    make_discriminator: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = make_discriminator(), tmp_path / "made.onnx"
    assert optimize.main([str(source), "-o", str(output)]) == 0
    assert "parity with tiny.discriminator.onnx on 64 images: 0.0e+00" in capsys.readouterr().out
    (images,) = reading.read(output).inputs.values()
    assert images.shape == (64, 3, IMAGE_SIZE, IMAGE_SIZE)
    low, high = METADATA.value_range
    assert images.min() == pytest.approx(low, abs=1e-3)
    assert images.max() == pytest.approx(high, abs=1e-3)
    with pytest.raises(UserError, match="--optimize is 3, expected at most 2 for a discriminator"):
        optimize.main([str(source), "-o", str(output), "--optimize", "3"])


def test_a_shipped_name_is_taken(tmp_path: Path) -> None:
    """All that are shipped are in integers, so that none can be written anew."""
    with pytest.raises(UserError, match=r"dcgan\.onnx has its layers in integers already"):
        optimize.main(["dcgan", "-o", str(tmp_path / "made.onnx")])
    with pytest.raises(UserError, match=r"'dcgn'.*did you mean dcgan"):
        optimize.main(["dcgn", "-o", str(tmp_path / "made.onnx")])


@pytest.mark.usefixtures("one_grid")
@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("cpu", "has its layers in integers already, and weights cannot be taken out of them"),
        ("cuda", "computes in float16 already, and what that rounds cannot be undone"),
    ],
)
def test_fewer_bits_are_refused(target: str, sentence: str, tmp_path: Path) -> None:
    source, output = exported(tmp_path / "given.onnx", 3, target), tmp_path / "made.onnx"
    with pytest.raises(UserError) as caught:
        optimize.main([str(source), "-o", str(output)])
    expected = "expected a file that edgegan export wrote with --optimize 0, 1 or 2"
    assert str(caught.value) == f"{source} {sentence}: {expected}"
    assert not output.exists()


def test_bytes_that_are_made_in_another_way_are_refused(tmp_path: Path) -> None:
    source, output = exported(tmp_path / "given.onnx", 2), tmp_path / "made.onnx"
    model = onnx.load(str(source))
    for tensor in model.graph.initializer:
        if tensor.name == "black":
            tensor.CopyFrom(numpy_helper.from_array(np.array(1, np.uint8), "black"))
    onnx.save(model, str(source))
    with pytest.raises(UserError, match=r"given\.onnx makes bytes of its images in another way"):
        optimize.main([str(source), "-o", str(output)])


def test_files_that_are_not_ours_are_refused(make_generator: Make, tmp_path: Path) -> None:
    output = tmp_path / "made.onnx"
    with pytest.raises(UserError, match=r"other\.onnx is not a generator of this project"):
        optimize.main([str(make_generator("other.onnx", {})), "-o", str(output)])
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(exported(tmp_path / "given.onnx", 1).read_bytes()[:1000])
    with pytest.raises(UserError, match=r"damaged\.onnx is not a whole ONNX model"):
        optimize.main([str(damaged), "-o", str(output)])
    with pytest.raises(UserError, match=r"cannot read .*nowhere\.onnx: No such file"):
        optimize.main([str(tmp_path / "nowhere.onnx"), "-o", str(output)])
    newer = make_generator("newer.onnx", {**METADATA.to_strings(), "edgegan.format_version": "99"})
    with pytest.raises(UserError, match="update edgegan"):
        optimize.main([str(newer), "-o", str(output)])
    assert not output.exists()


def test_a_run_is_sent_to_the_exporter(tmp_path: Path) -> None:
    (tmp_path / "last.npz").write_bytes(b"")
    for path, kind in ((tmp_path, "a run"), (tmp_path / "last.npz", "a checkpoint")):
        with pytest.raises(UserError, match=f" is {kind}: export it first with edgegan export"):
            optimize.main([str(path), "-o", str(tmp_path / "made.onnx")])
