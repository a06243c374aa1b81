"""Real pictures: a photograph saved otherwise stays near, another photograph is far, and what is no picture is refused."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from features.facts import FeatureError
from features.image_hash import perceptual_hash
from features.photographs import MAX_BITS, near_photographs

SCENES = 12


def scene(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Draw a damaged room: a wall in some light, furniture, a burn."""
    rng = np.random.default_rng(seed)
    light = np.linspace(*rng.integers(60, 220, 2), size[0])[None, :] + np.linspace(*rng.integers(-50, 50, 2), size[1])[:, None]
    picture = Image.fromarray(np.clip(light[..., None] + rng.integers(-30, 30, 3), 0, 255).astype("uint8"))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y = rng.integers(0, size[0]), rng.integers(0, size[1])
        w, h = rng.integers(30, 260, 2)
        shape = draw.rectangle if rng.random() < 0.5 else draw.ellipse
        shape((int(x), int(y), int(x + w), int(y + h)), fill=tuple(map(int, rng.integers(0, 255, 3))))
    return picture.filter(ImageFilter.GaussianBlur(1.5))


def saved(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def distance(one: bytes, other: bytes) -> int:
    first, second = perceptual_hash(one), perceptual_hash(other)
    assert first is not None and second is not None and len(first) == 16
    return (int(first, 16) ^ int(second, 16)).bit_count()


def sideways(picture: Image.Image) -> bytes:
    """Save a picture lying on its side, with the mark that tells how it was held."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture.rotate(90, expand=True), exif=exif)


COPIES = {
    "another format": lambda p: saved(p, "PNG"),
    "poor quality": lambda p: saved(p, quality=25),
    "half the size": lambda p: saved(p.resize((320, 240)), quality=80),
    "twice the size": lambda p: saved(p.resize((1280, 960)), quality=60),
    "brighter": lambda p: saved(ImageEnhance.Brightness(p).enhance(1.1)),
    "darker": lambda p: saved(ImageEnhance.Brightness(p).enhance(0.75)),
    "grey": lambda p: saved(p.convert("L")),
    "held sideways": sideways,
}


@pytest.mark.parametrize("how", COPIES)
def test_a_photograph_saved_otherwise_is_nearly_the_same(how: str) -> None:
    for seed in range(SCENES):
        picture = scene(seed)
        assert distance(saved(picture, quality=92), COPIES[how](picture)) <= MAX_BITS, seed


def test_exactly_the_copies_are_found_among_many_files() -> None:
    files = [saved(scene(seed), quality=90) for seed in range(SCENES)] + [saved(scene(seed).resize((400, 300))) for seed in range(SCENES)]
    hashes = [int(perceptual_hash(file) or "", 16) for file in files]
    distinct = sorted(set(hashes))
    left, right = near_photographs(np.array(distinct, dtype=np.uint64))
    found = {frozenset((distinct[a], distinct[b])) for a, b in zip(left, right, strict=True)}
    copies = {frozenset((hashes[seed], hashes[SCENES + seed])) for seed in range(SCENES)}
    assert found == {pair for pair in copies if len(pair) == 2} and len(distinct) >= SCENES


def test_the_hash_is_the_one_that_the_library_computes() -> None:
    imagehash = pytest.importorskip("imagehash")
    assert perceptual_hash(saved(scene(3), "PNG")) == str(imagehash.phash(scene(3)))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_that_shows_nothing_has_no_hash(level: int) -> None:
    assert perceptual_hash(saved(Image.new("RGB", (300, 200), (level,) * 3))) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "found nothing at all"),
        (b"%PDF-1.7 a letter", r"17 bytes that begin with b'%PDF-1.7'"),
        (saved(scene(1))[:4_000], "4000 bytes .* send a complete JPEG or PNG"),
    ],
)
def test_what_is_no_whole_picture_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(FeatureError, match=words):
        perceptual_hash(content)


def test_a_picture_too_large_to_open_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(FeatureError, match="expected an image file"):
        perceptual_hash(saved(scene(1)))


def test_the_features_do_not_import_the_picture_libraries() -> None:
    code = "import sys, features.matrix, features.image_hash; print('imagehash' in sys.modules, 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "False False"
