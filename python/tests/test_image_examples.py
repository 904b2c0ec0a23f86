"""examples-c/images.c: bits, draws and paths are those of the float64 evaluator; what it cannot use it names."""

from __future__ import annotations

import os
import shlex
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from flowrt import reference
from flowrt.library import load

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models" / "images"
GLOW, DIGITS = MODELS / "glow.flw", MODELS / "digits.pgm"
SIDE, GAP, PIXELS = 28, 4, 784


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made, library = tmp_path_factory.mktemp("images"), Path(load()._name).resolve()
    command = shlex.split(os.environ.get("CC", "cc")) + ["-std=c99", "-O1", f"-I{ROOT / 'include'}"]
    command += [str(ROOT / "examples-c" / "images.c"), str(library), "-lm", "-o", str(made / "images")]
    subprocess.run([*command, f"-Wl,-rpath,{library.parent}"], check=True)
    return made


def ran(folder, *arguments):
    return subprocess.run(["./images", *map(str, arguments)], cwd=folder, capture_output=True, text=True)


def pgm(levels) -> bytes:
    """A file of digits (n, 28, 28)."""
    return b"P5\n28 %d\n255\n" % (28 * len(levels)) + np.asarray(levels, np.uint8).tobytes()


def first_digits(count):
    levels = np.frombuffer(DIGITS.read_bytes()[-500 * PIXELS :], np.uint8)
    return levels.reshape(500, SIDE, SIDE)[:count]


class Chance:
    """SplitMix64, as Steele, Lea and Flood have it."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self, count):
        numbers = []
        for _ in range(count):
            self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
            bits = self.state
            bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % 2**64
            numbers.append((((bits ^ (bits >> 31)) >> 11) + 0.5) / 2**53)
        return np.array(numbers)

    def normal(self, count):
        radius, angle = self.uniform(2 * count).reshape(count, 2).T
        return np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)


def sheet(path, columns) -> np.ndarray:
    """Ink (n, 28, 28), 0 to 255, of the images of a sheet."""
    data, place, packed, size = path.read_bytes(), 8, b"", None
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + body)
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        packed += body * (kind == b"IDAT")
        place += 12 + length
    width, height = size
    grey = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width + 1)[:, 1:].astype(int)
    cells = [
        255 - grey[y : y + SIDE, x : x + SIDE]
        for y in range(GAP, height - SIDE, SIDE + GAP)
        for x in range(GAP, width - SIDE, SIDE + GAP)
    ]
    assert len(cells) % columns == 0
    return np.array(cells)


def levels_of(x):
    return np.clip(np.floor(x * 256), 0, 255).reshape(-1, SIDE, SIDE)


@pytest.mark.parametrize("model", ["glow", "real_nvp"])
@pytest.mark.parametrize("kind", [None, "inverted", "blank"])
def test_bits_are_those_of_the_evaluator(folder, model, kind):
    levels, chance = first_digits(2), Chance(0)
    (folder / "two.pgm").write_bytes(pgm(levels))
    changed = {None: levels, "inverted": 255 - levels, "blank": 0 * levels}[kind]
    x = []
    for digit in changed:
        if kind is not None:  # it draws a square, and a place for each pixel, whatever becomes of them
            chance.uniform(2 + PIXELS)
        x.append((digit.reshape(-1) + chance.uniform(PIXELS)) / 256)
    expected = 8 - reference.log_prob(MODELS / f"{model}.flw", np.float32(x)) / (PIXELS * np.log(2))
    done = ran(folder, "bits", MODELS / f"{model}.flw", "two.pgm", *([] if kind is None else [kind]))
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.fromstring(done.stdout, sep="\n"), expected, atol=2e-4)


def test_every_fifth_digit(folder):
    done = ran(folder, "bits", GLOW, DIGITS, "as-is", 5)
    chance = Chance(0)
    chance.uniform(2 + PIXELS)
    first = (first_digits(1).reshape(-1) + chance.uniform(PIXELS)) / 256
    found = np.fromstring(done.stdout, sep="\n")
    expected = 8 - reference.log_prob(GLOW, np.float32([first])) / (PIXELS * np.log(2))
    assert len(found) == 100 and abs(found[0] - expected[0]) < 2e-4


def test_a_digit_that_is_shuffled_has_the_same_pixels_and_more_bits(folder):
    as_they_are, shuffled, noise = (
        np.fromstring(ran(folder, "bits", GLOW, DIGITS, *kind).stdout, sep="\n")
        for kind in ((), ("shuffled",), ("noise",))
    )
    assert len(as_they_are) == len(shuffled) == len(noise) == 500
    assert np.all(shuffled > as_they_are) and np.all(noise > as_they_are) and np.mean(noise) > 8


def test_a_damaged_digit_is_inverted_in_a_square_of_seven_pixels(folder):
    (folder / "blank.pgm").write_bytes(pgm(np.zeros((1, SIDE, SIDE))))
    chance, image = Chance(0), np.zeros((SIDE, SIDE))
    top, left = (chance.uniform(2) * (SIDE - 7)).astype(int)
    chance.uniform(PIXELS)
    image[top : top + 7, left : left + 7] = 255
    x = np.float32([(image.reshape(-1) + chance.uniform(PIXELS)) / 256])
    expected = 8 - reference.log_prob(GLOW, x) / (PIXELS * np.log(2))
    done = ran(folder, "bits", GLOW, "blank.pgm", "damaged")
    np.testing.assert_allclose(float(done.stdout), expected, atol=2e-4)


def test_draws_are_noise_times_the_temperature(folder):
    done = ran(folder, "draw", GLOW, "new.png", 7)
    assert done.returncode == 0 and "temperatures 0.7, 0.8, 0.9, 1 from top to bottom" in done.stdout
    noise = Chance(7).normal(4 * 20 * PIXELS).reshape(4, 20, PIXELS) * np.array([0.7, 0.8, 0.9, 1])[:, None, None]
    some = noise[[0, 1, 3], [3, 0, 19]]
    expected = levels_of(reference.inverse(GLOW, np.float32(some))[0])
    found = sheet(folder / "new.png", 20)[[3, 20, 79]]
    assert np.max(abs(found - expected)) <= 1 and np.mean(found != expected) < 0.01


def test_a_path_begins_and_ends_with_the_digits(folder):
    done = ran(folder, "between", GLOW, DIGITS, "path.png")
    assert done.returncode == 0, done.stderr
    places = np.arange(16) * 499 // 15
    digits = first_digits(500)[places]
    found = sheet(folder / "path.png", 11).reshape(8, 11, SIDE, SIDE)
    ends = found[:, [0, 10]].reshape(16, SIDE, SIDE)
    assert np.max(abs(ends - digits.astype(int))) <= 1
    assert np.mean(abs(found[:, 5] - found[:, 0].astype(int))) > 3  # and is another image in between


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["bits", ROOT / "models" / "iris_maf.flw", DIGITS], "a model of 4 dimensions and 0 context numbers"),
        (["bits", GLOW, ROOT / "README.md"], "README.md: not a PGM file"),
        (["bits", GLOW, "wide.pgm"], "wide.pgm: 29 x 28 pixels up to 255; expected 28 columns"),
        (["bits", GLOW, "short.pgm"], "short.pgm: ends before its 2 digits do"),
        (["bits", GLOW, "none.pgm"], "none.pgm: No such file or directory"),
        (
            ["bits", GLOW, DIGITS, "upside-down"],
            "'upside-down' is none of as-is, inverted, damaged",
        ),
        (["bits", GLOW, DIGITS, "as-is", "0"], "EVERY: 0 is no step from one digit to the next"),
        (["draw", GLOW, "new.png", "x"], "SEED: 'x' is not a whole number"),
        (["draw", GLOW, "none/new.png"], "none/new.png: No such file or directory"),
        (["between", GLOW, "short.pgm", "path.png"], "short.pgm: ends before its 2 digits do"),
        (["between", GLOW, "two.pgm", "path.png"], "two.pgm: 2 digits; expected 16"),
        (["paint", GLOW, DIGITS], "usage: images bits"),
    ],
)
def test_what_cannot_be_used_is_named(folder, arguments, text):
    (folder / "two.pgm").write_bytes(pgm(first_digits(2)))
    (folder / "short.pgm").write_bytes(pgm(first_digits(2))[:-1])
    (folder / "wide.pgm").write_bytes(b"P5\n29 28\n255\n" + bytes(29 * 28))
    done = ran(folder, *arguments)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("error: ") and text in done.stderr
