"""GIFs as the page writes them, read by Pillow: every dot of every frame."""

import json
from pathlib import Path

import numpy
import pytest
from conftest import ROOT
from page_in_node import in_node
from PIL import Image, ImageSequence

PROGRAM = """
import { readFileSync, writeFileSync } from "node:fs";
import { gif } from "FOLDER/frontend/src/files/gif.ts";
const [from, to] = process.argv.slice(2), { width, height, frames } = JSON.parse(readFileSync(from, "utf8"));
const made = gif(frames.map((pixels, k) => ({ pixels: Uint8ClampedArray.from(pixels), milliseconds: 50 * (k + 1) })), width, height);
writeFileSync(to, made);
"""


def written(frames: numpy.ndarray, folder: Path) -> list[tuple[numpy.ndarray, int]]:
    """frames: (count, height, width, 4) -> of each frame the dots, (height, width, 3), and its milliseconds."""
    program, given, made = (folder / name for name in ("write.ts", "frames.json", "film.gif"))
    program.write_text(PROGRAM.replace("FOLDER", ROOT.as_posix()), encoding="utf-8")
    _, height, width, _ = frames.shape
    given.write_text(json.dumps({"width": width, "height": height, "frames": [one.ravel().tolist() for one in frames]}))
    done = in_node(str(program), str(given), str(made))
    assert done.returncode == 0, done.stderr
    with Image.open(made) as film:
        assert film.info["loop"] == 0
        return [(numpy.array(one.convert("RGB")), one.info["duration"]) for one in ImageSequence.Iterator(film)]


@pytest.mark.parametrize(("width", "height", "colours"), [(1, 1, 1), (3, 2, 4), (97, 61, 200), (300, 211, 256)])
def test_few_colours_come_back_exactly(tmp_path: Path, width: int, height: int, colours: int) -> None:
    random = numpy.random.default_rng(colours)
    palette = random.permutation(2**24)[:colours]
    chosen = random.integers(0, colours, (4, height, width))
    chosen[2] = chosen[1]  # a frame in which nothing changes
    chosen[3] = chosen[1]
    chosen[3, height // 2 :, width // 3 : width // 2 + 1] = random.integers(0, colours)
    colour = palette[chosen]
    frames = numpy.stack([colour >> 16, colour >> 8 & 255, colour & 255, numpy.full_like(colour, 255)], -1)
    found = written(frames, tmp_path)
    assert [milliseconds for _, milliseconds in found] == [50, 100, 150, 200]
    for (dots, _), frame in zip(found, frames, strict=True):
        numpy.testing.assert_array_equal(dots, frame[..., :3])


def test_of_many_colours_the_commonest_stay_as_they_are(tmp_path: Path) -> None:
    across = numpy.linspace(0, 255, 200).astype(int)
    frame = numpy.stack(numpy.broadcast_arrays(across[None, :], across[:, None], across[None, ::-1], 255), -1).copy()
    frame[50:] = (0x14, 0x50, 0x7A, 255)
    ((dots, _),) = written(frame[None], tmp_path)
    numpy.testing.assert_array_equal(dots[50:], frame[50:, :, :3])
    assert abs(dots[:50].astype(int) - frame[:50, :, :3]).max() <= 40
