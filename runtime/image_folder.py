"""A seed's images as single files in a folder: a job that goes on where it was broken off."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edgegan.runtime.arguments import check_integer
from edgegan.runtime.cores import available_cores
from edgegan.runtime.damage import PNG_START, BadPicture, png_parts
from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.faces import IMAGE_NAME, Faces
from edgegan.runtime.files import locked, read_json, remove_leftovers, write_bytes
from edgegan.runtime.grid import encode_png
from edgegan.runtime.network import BATCH

JOB = "job.json"  # the file in the folder that tells what all its images are of


def write_images(faces: Faces, count: int, folder: Path) -> int:
    """Write faces 0 to count - 1 as single images, but for those that are there.

    While a batch is drawn the one before is written, so memory does not grow with the count. One
    process at a time writes to a folder, with threads: what an image takes is spent in onnxruntime,
    OpenCV's encoder and the file system, which all run beside Python.

    Returns:
        How many were written.

    Raises:
        UserError: the folder holds the images of another job, another process writes to it, or
            something cannot be written.
        TypeError, ValueError: the count is not whole, or negative.
    """
    count = check_integer("count", count)
    with locked(folder, "edgegan generate"):
        return _write_images(faces, count, folder)


def _write_images(faces: Faces, count: int, folder: Path) -> int:
    """Write what is missing to a folder that is this process's; returns how many that were."""
    _claim(folder, faces)
    written = 0
    writing: list[Future[None]] = []
    progress = tqdm(total=count, unit=" images", disable=None)
    with progress, ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            paths = [folder / faces.file_name(number) for number in numbers]
            missing = [place for place, path in enumerate(paths) if not _is_whole(path)]
            if missing:
                images = faces.images(len(paths), first=start)
                _finish(writing)
                writing = [pool.submit(_write, paths[place], images[place]) for place in missing]
                written += len(missing)
            progress.update(len(paths))
        _finish(writing)
    return written


def _claim(folder: Path, faces: Faces) -> None:
    """Note in the folder what its images are of, or check that they are of the same.

    Raises:
        UserError: they are of something else or do not say of what, or it cannot be noted.
    """
    job = faces.identity()
    record = folder / JOB
    if record.exists():
        found = read_json(record)
        for name in {**job, **found}:
            if found.get(name) != job.get(name):
                raise UserError(
                    f"{folder} holds the images of another job: {JOB} in it has "
                    f"{_told(name, found.get(name))}, expected {quoted(job.get(name))}: choose "
                    "another folder"
                )
    elif any(IMAGE_NAME.fullmatch(path.name) for path in folder.iterdir()):
        raise UserError(
            f"{folder} holds numbered images, but no {JOB} that tells their model and seed: "
            "choose another folder"
        )
    else:
        write_bytes(record, (json.dumps(job, indent=2) + "\n").encode())
    remove_leftovers(folder)


def _told(name: str, value: object) -> str:
    """An entry of a job, within a sentence."""
    found = quoted(value)
    return f"{found} faces of each text" if name == "each" else f"the {name} {found}"


def _is_whole(path: Path) -> bool:
    """Say whether an image is there as it was written, by the check sums of its chunks.

    A power cut can leave less than was written, or zeros in the place of some of it.
    """
    try:
        content = path.read_bytes()
        png_parts(content)
    except (OSError, BadPicture):  # it is not there, or damaged
        return False
    return content.startswith(PNG_START)


def _write(path: Path, image: np.ndarray) -> None:
    write_bytes(path, encode_png(image), flush=False)  # flushing takes longer than drawing


def _finish(writing: list[Future[None]]) -> None:
    """Wait until all is written; raises UserError if something could not be."""
    for future in writing:
        future.result()
