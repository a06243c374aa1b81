"""Photographs as files: the column of paths in a claims file becomes the column of perceptual hashes of the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from features.facts import FeatureError
from features.image_hash import perceptual_hash

Progress = Callable[[int, int], None]
"""Told how many files were read, and how many there are."""


@dataclass(frozen=True)
class Photographs:
    """What was found in picture files.

    Parameters
    ----------
    hashes
        Perceptual hash by path as it was given; ``None`` for a picture that shows nothing.
    unreadable
        What is wrong with the others, by path.
    """

    hashes: Mapping[str, str | None]
    unreadable: Mapping[str, str]


def hash_files(paths: Iterable[str | Path], folder: Path, progress: Progress = lambda _done, _all: None) -> Photographs:
    """Compute the perceptual hashes of photographs, each file once.

    Parameters
    ----------
    paths
        Files, those that are not absolute beginning at ``folder``; repetitions cost nothing.
    folder
        Usually that of the claims file.
    progress
        Told after each file.

    Examples
    --------
    >>> hash_files(["nowhere.jpg"], Path("."))
    Photographs(hashes={}, unreadable={'nowhere.jpg': 'expected an image file, found none'})
    """
    wanted = list(dict.fromkeys(str(path) for path in paths))
    hashes: dict[str, str | None] = {}
    unreadable: dict[str, str] = {}
    for done, path in enumerate(wanted, start=1):
        try:
            hashes[path] = perceptual_hash((folder / path).read_bytes())
        except FileNotFoundError:
            unreadable[path] = "expected an image file, found none"
        except (OSError, FeatureError) as error:
            unreadable[path] = str(error)
        progress(done, len(wanted))
    return Photographs(hashes, unreadable)


def hashed(paths: pd.Series, folder: Path) -> pd.Series:
    """Replace paths by perceptual hashes; in place of one that cannot be read stands why, for the check to refuse its row.

    Parameters
    ----------
    paths
        Paths as text, missing where a claim has no photograph.
    folder
        Where relative paths begin.
    """
    found = hash_files(paths.dropna(), folder)
    return paths.map({**found.hashes, **{path: f"{path}: {why}" for path, why in found.unreadable.items()}}).astype("str")
