"""Which files of a folder or a zip are its pictures, in which order, and why others are not."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edgegan.runtime import picture_set
from edgegan.runtime.errors import UserError
from edgegan.runtime.picture_set import PictureSet, open_set
from edgegan.runtime.pictures import BadPicture, decode


def picture(kind: str = "PNG", seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


PNG = picture()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def names(found: PictureSet) -> list[str]:
    return [entry.name for entry in found.entries]


def reasons(found: PictureSet) -> dict[str, str]:
    return dict(found.left_out)


FILES = {
    "a b/1.png": PNG,
    "a-b/1.png": PNG,
    "a/1.png": PNG,
    "a.jpg": picture("JPEG"),
    "a/deep/er/2.JPEG": picture("JPEG"),
    "b.webp": picture("WEBP"),
    "c.bmp": picture("BMP"),
    "d.gif": picture("GIF"),
    "e.jfif": picture("JPEG"),
    "no suffix": PNG,
    "Vol. 2": PNG,
    "photo.2": PNG,
    "脸/动漫 3.png": PNG,
    "Z.png": PNG,
    "notes.txt": b"text",
    "LICENSE": b"text",
    "BMW": b"BMW is no bitmap, though it begins like one",
    "part.jpg.part": PNG,
    "faces.zip": b"PK",
    "a/old.rec": b"",
    ".hidden.png": PNG,
    "._a.jpg": b"what macOS leaves",
    ".thumbnails/1.png": PNG,
    "a/.ipynb_checkpoints/1.png": PNG,
    "@eaDir/1.jpg": PNG,
    "__MACOSX/._a.jpg": b"",
    "runs/x/last.npz": b"",
    "runs/x/grids/1.png": PNG,
    "runs/y/best.npz": b"",
    "runs/y/deep/1.png": PNG,
    "runs/1.png": PNG,
}
PICTURES = [
    "Vol. 2",
    "Z.png",
    "a b/1.png",
    "a-b/1.png",
    "a.jpg",
    "a/1.png",
    "a/deep/er/2.JPEG",
    "b.webp",
    "c.bmp",
    "d.gif",
    "e.jfif",
    "no suffix",
    "photo.2",
    "runs/1.png",
    "脸/动漫 3.png",
]
LEFT_OUT = {
    "notes.txt": ".txt",
    "LICENSE": "no picture, by its content",
    "BMW": "no picture, by its content",
    "part.jpg.part": ".part",
    "faces.zip": "nested .zip",
    "a/old.rec": "nested .rec",
    ".hidden.png": "hidden file",
    "._a.jpg": "hidden file",
    ".thumbnails/": "hidden folder",
    "a/.ipynb_checkpoints/": "hidden folder",
    "@eaDir/": "hidden folder",
    "__MACOSX/": "hidden folder",
    "runs/x/": "folder of a run",
    "runs/y/": "folder of a run",
}


@pytest.mark.parametrize("kind", ["folder", "faces.zip", "faces.cbz"])
def test_a_folder_and_its_zip_have_the_same_pictures_in_the_same_order(
    tmp_path: Path, kind: str
) -> None:
    make = write if kind == "folder" else write_zip
    with open_set(make(tmp_path / kind, FILES)) as found:
        assert names(found) == PICTURES
        assert [entry.read() for entry in found.entries] == [FILES[name] for name in PICTURES]
        assert reasons(found) == LEFT_OUT
        assert [name for name, _ in found.left_out] == sorted(LEFT_OUT, key=os.fsencode)
        for entry in found.entries:
            assert decode(entry.read()).shape == (8, 8, 3)


@pytest.mark.parametrize("kind", ["folder", "faces.zip"])
def test_tables_are_left_out_and_can_be_read(tmp_path: Path, kind: str) -> None:
    files = {"z.png": PNG, "b.CSV": b"1,2", "a/tags.csv": b"3,4"}
    hidden = {"._b.csv": b"", "__MACOSX/b.csv": b"", "run/last.npz": b"", "run/b.csv": b""}
    make = write if kind == "folder" else write_zip
    with open_set(make(tmp_path / kind, {**files, **hidden})) as found:
        assert names(found) == ["z.png"]
        tables = {table.name: table.read() for table in found.tables}
        assert tables == {"a/tags.csv": b"3,4", "b.CSV": b"1,2"}
        assert {name for name, reason in found.left_out if reason == ".csv"} == set(tables)


parts = st.text(st.sampled_from("aZ0 -.,!~_é脸"), min_size=1, max_size=3).filter(
    lambda part: not part.startswith(".")
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sets(st.lists(parts, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12))
def test_the_order_is_that_of_the_names_bytes(
    tmp_path_factory: pytest.TempPathFactory, chosen: set[str]
) -> None:
    place = tmp_path_factory.mktemp("order")
    files = {f"{name}.png": PNG for name in sorted(chosen)}
    expected = sorted(files, key=os.fsencode)
    assert names(open_set(write(place / "folder", files))) == expected
    with open_set(write_zip(place / "faces.zip", files)) as found:
        assert names(found) == expected


# Links, and what the system refuses


def test_links_are_followed_to_each_folder_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "faces", {"z/1.png": PNG, "2.png": PNG})
    other = write(tmp_path / "other", {"3.png": PNG, "more/4.png": PNG})
    run = write(tmp_path / "run", {"last.npz": b"", "grids/1.png": PNG})
    (folder / "a loop").symlink_to(folder)
    (folder / "z" / "up").symlink_to("..")
    (folder / "a").symlink_to("z")  # before it in the order
    (folder / "linked").symlink_to(other)
    (other / "back").symlink_to(folder)
    (folder / "twice").symlink_to(other / "more")
    (folder / "run").symlink_to(run)
    (folder / ".hidden").symlink_to(other)
    (folder / "picture.png").symlink_to(other / "3.png")
    (folder / "gone.png").symlink_to(tmp_path / "none")
    (folder / "gone").symlink_to(tmp_path / "none")
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "within a file.png").symlink_to(other / "3.png" / "no folder")
    os.mkfifo(folder / "pipe.png")
    found = open_set(folder)
    assert names(found) == ["2.png", "linked/3.png", "linked/more/4.png", "picture.png", "z/1.png"]
    before, dead = "folder that is read already", "dead link"
    assert reasons(found) == {
        **dict.fromkeys(["a loop/", "z/up/", "a/", "linked/back/", "twice/"], before),
        **dict.fromkeys(["gone.png", "gone", "itself.png", "within a file.png"], dead),
        "run/": "folder of a run",
        ".hidden/": "hidden folder",
        "pipe.png": "no regular file",
    }


def test_a_set_in_the_folder_of_its_run_is_read_without_its_grids(tmp_path: Path) -> None:
    files = {"1.png": PNG, "last.npz": b"", "grids/9.png": PNG, "more/grids/2.png": PNG}
    for source in (write(tmp_path / "run", files), write_zip(tmp_path / "run.zip", files)):
        with open_set(source) as found:
            assert names(found) == ["1.png", "more/grids/2.png"]
            assert reasons(found) == {"grids/": "grids of a run", "last.npz": ".npz"}


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, error: OSError) -> None:
    """Let the folder of a name be refused, as it is for everybody but root."""
    scandir = os.scandir

    def refused(path: Path) -> object:
        if path.name == name:
            raise type(error)(*error.args, str(path))
        return scandir(path)

    monkeypatch.setattr(picture_set.os, "scandir", refused)


def test_a_folder_without_permission_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "faces", {"1.png": PNG, "closed/2.png": PNG})
    with monkeypatch.context() as moment:
        refuse(moment, "closed", PermissionError(13, os.strerror(13)))
        found = open_set(folder)
        assert names(found) == ["1.png"]
        assert reasons(found) == {"closed/": "no permission"}
    assert open_set(folder).signature != found.signature
    refuse(monkeypatch, "faces", PermissionError(13, os.strerror(13)))
    with pytest.raises(UserError, match=r"cannot read .*faces: Permission denied"):
        open_set(folder)


@pytest.mark.parametrize("number", [5, 12, 24])  # input/output, no memory, too many open files
def test_a_fault_of_the_moment_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    folder = write(tmp_path / "faces", {"1.png": PNG, "deep/2.png": PNG})
    refuse(monkeypatch, "deep", OSError(number, os.strerror(number)))
    with pytest.raises(UserError, match=rf"cannot read .*faces/deep: {os.strerror(number)}"):
        open_set(folder)


def test_a_file_that_is_gone_when_its_turn_comes(tmp_path: Path) -> None:
    folder = write(tmp_path / "faces", {"1.png": PNG})
    (entry,) = open_set(folder).entries
    (folder / "1.png").unlink()
    with pytest.raises(UserError, match=r"no such folder or file: .*1\.png"):
        entry.read()


@pytest.mark.skipif(os.name == "nt", reason="names are no bytes there")
def test_names_that_are_no_utf8_and_long_ones(tmp_path: Path) -> None:
    folder = write(tmp_path / "faces", {"b.png": PNG, "z" * 251 + ".png": PNG})
    for name in (b"a\xff.png", b"c\xe9 \n.png", b"\xff\xfe", b"\xc3.txt"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(PNG)
    found = open_set(folder)
    expected = [b"a\xff.png", b"b.png", b"c\xe9 \n.png", b"z" * 251 + b".png", b"\xff\xfe"]
    assert [os.fsencode(name) for name in names(found)] == expected
    assert all(entry.read() == PNG for entry in found.entries)
    assert reasons(found) == {os.fsdecode(b"\xc3.txt"): ".txt"}
    with pytest.raises(UserError, match="File name too long"):
        open_set(tmp_path / ("x" * 300))


def test_what_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder or file: .*nowhere"):
        open_set(tmp_path / "nowhere")
    for content in (b"", b"text", PNG):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(UserError, match="file is no folder, zip or RecordIO"):
            open_set(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is no folder, zip or RecordIO"):
        open_set(tmp_path / "pipe")


def test_a_set_changes_where_a_picture_does(tmp_path: Path) -> None:
    folder = write(tmp_path / "faces", {"1.png": PNG, "deep/2.png": PNG})
    before = open_set(folder).signature
    assert open_set(folder).signature == before
    (folder / "notes.txt").write_text("no picture")
    assert open_set(folder).signature == before
    (folder / "deep" / "2.png").chmod(0o600)
    changed = open_set(folder).signature
    assert changed != before
    (folder / "deep" / "2.png").rename(folder / "deep" / "3.png")
    assert open_set(folder).signature not in (before, changed)


# Zips


def one_member(path: Path, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("1.png", PNG * 20)
    return path.read_bytes()


def bad_member(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with open_set(path) as found:
        (entry,) = found.entries
        with pytest.raises(BadPicture, match=reason):
            entry.read()


def patched(content: bytes, local: int, central: int, value: bytes) -> bytes:
    """A zip of one member with these bytes in both of its headers."""
    place = content.index(b"PK\1\2")
    changed = bytearray(content)
    changed[local : local + len(value)] = value
    changed[place + central : place + central + len(value)] = value
    return bytes(changed)


def test_why_a_member_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    whole = one_member(path)
    bad_member(path, patched(whole, 6, 8, b"\1"), "^password$")
    bad_member(path, patched(whole, 8, 10, b"\x63\0"), "^zip method 99, which is not known$")
    bad_member(path, patched(whole, 14, 16, bytes(4)), "^damaged in the zip$")
    place = whole.index(b"PK\1\2")
    bad_member(path, whole[:60] + bytes(30) + whole[90:], "^damaged in the zip$")
    bad_member(path, b"PK\3\5" + whole[4:], "^damaged in the zip$")
    large = whole[: place + 24] + b"\0\0\0\xf0" + whole[place + 28 :]
    bad_member(path, large, "^a file of 4026531840 bytes, more than")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        content = one_member(path, method)
        bad_member(path, content[:60] + bytes(30) + content[90:], "^damaged in the zip$")


def test_a_fault_of_the_moment_within_a_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_member(tmp_path / "faces.zip")
    (entry,) = open_set(tmp_path / "faces.zip").entries

    def failing(*_: object) -> bytes:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(zipfile.ZipFile, "read", failing)
    with pytest.raises(UserError, match=r"cannot read .*faces\.zip: Input/output error"):
        entry.read()


def test_broken_zips(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "faces.zip", {"é.png": PNG}).read_bytes()
    broken = tmp_path / "broken.zip"
    for content in (
        whole.replace(b"PK\1\2", b"PK\x09\x09"),
        whole.replace("é".encode(), b"\xff\xff"),  # marked as UTF-8, and none
        whole.replace(b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\xff"),  # made by a later zip
    ):
        assert content != whole
        broken.write_bytes(content)
        with pytest.raises(UserError, match=r"broken\.zip is a broken zip file: "):
            open_set(broken)


def test_names_in_zips_that_do_not_say_what_they_are_in(tmp_path: Path) -> None:
    """Linux's zip marks no UTF-8, and Windows's wrote code page 437."""
    written = write_zip(tmp_path / "faces.zip", {"aaa.png": PNG, "bbb.png": PNG}).read_bytes()
    content = written.replace(b"aaa", "脸".encode()).replace(b"bbb", b"\x82\x82\x82")
    (tmp_path / "faces.zip").write_bytes(content)
    with open_set(tmp_path / "faces.zip") as found:
        assert names(found) == ["ééé.png", "脸.png"]
        assert [entry.read() for entry in found.entries] == [PNG, PNG]
    nameless = written.replace(b"aaa.png", b"\0aa.png")  # a name ends at a zero
    (tmp_path / "faces.zip").write_bytes(nameless)
    with open_set(tmp_path / "faces.zip") as found:
        assert names(found) == ["", "bbb.png"]


def test_a_name_in_a_field_of_its_own(tmp_path: Path) -> None:
    """As archivers on Windows write it, beside one in the code page of their system."""
    name = "脸.png".encode()
    member = zipfile.ZipInfo("1.png")
    body = struct.pack("<BL", 1, zlib.crc32(b"1.png")) + name
    member.extra = struct.pack("<HH", 0x7075, len(body)) + body
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr(member, PNG)
    with zipfile.ZipFile(tmp_path / "faces.zip") as archive:
        expected = archive.namelist()  # older Pythons do not look at it
    with open_set(tmp_path / "faces.zip") as found:
        assert names(found) == expected
        assert [entry.read() for entry in found.entries] == [PNG]


def test_links_in_a_zip_and_secret_files_without_a_suffix(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr(link, "1.png")
        archive.writestr("1.png", PNG)
        archive.writestr("folder.png/", b"")
    with open_set(tmp_path / "faces.zip") as found:
        assert names(found) == ["1.png"]
        assert reasons(found) == {"link.png": "link in a zip"}
    with zipfile.ZipFile(tmp_path / "secret.zip", "w") as archive:
        archive.writestr("secret", PNG)
    content = (tmp_path / "secret.zip").read_bytes()
    (tmp_path / "secret.zip").write_bytes(patched(content, 6, 8, b"\1"))
    with open_set(tmp_path / "secret.zip") as found:
        assert reasons(found) == {"secret": "no picture, by its content"}
