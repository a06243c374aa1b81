"""A guard for those who write features: a sample of the lake's claims is replayed as of filing, with the future deleted.

The catalogue may be the user's own: a Python file or a module that holds a :class:`~features.catalog.Catalog`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from features.catalog import CATALOG, Catalog
from features.leakage import Leak, compare, replay
from features.matrix import build_matrix
from pipelines.home import Home
from pipelines.lake import Lake


@dataclass(frozen=True)
class Guarded:
    """What the replay found.

    Parameters
    ----------
    leaks
        Features that differ, in the order of the catalogue.
    features, claims
        How many features were compared, and on how many claims.
    """

    leaks: tuple[Leak, ...]
    features: int
    claims: int


def guard(home: Home, catalog: Catalog, sample: int, seed: int, report: Callable[[str, int, int], None]) -> Guarded:
    """Replay a random sample of the lake's claims and compare with the matrix of all claims.

    Parameters
    ----------
    home
        Where the lake is.
    catalog
        The features to be judged.
    sample
        How many claims; all of them if there are fewer.
    seed
        Seed of the sample.
    report
        Called with what is being done, how many steps of it are done, and how many there are.

    Raises
    ------
    ValueError
        If there are no claims, or none are wanted.
    """
    if sample < 1:
        raise ValueError(f"sample: expected at least one claim to replay, found {sample}")
    tables = Lake.of(home).tables()
    if tables["claims"].empty:
        raise ValueError(f"{home.root}: expected claims in the lake, found none; run touchstone validate first")
    ids = tables["claims"]["claim_id"].sort_values().to_numpy()
    drawn = np.random.default_rng(seed).choice(len(ids), size=min(sample, len(ids)), replace=False)
    report("features with the whole history at hand", 0, 1)
    matrix = build_matrix(tables, catalog=catalog)
    report("features with the whole history at hand", 1, 1)
    replayed = []
    for row in replay(tables, catalog, [str(ids[place]) for place in sorted(drawn)]):
        replayed.append(row)
        report("claims replayed as of their filing", len(replayed), len(drawn))
    return Guarded(compare(matrix, replayed), matrix.shape[1], len(replayed))


def catalog_at(where: str | None) -> Catalog:
    """Return a catalogue by its place, ``FILE.py:NAME`` or ``module:NAME``; the shipped one for none.

    Raises
    ------
    ValueError
        If there is no such file, module or name, or it is no catalogue.
    """
    if where is None:
        return CATALOG
    place, colon, name = where.rpartition(":")
    if not colon or not place or not name:
        raise ValueError(f"features: expected FILE.py:NAME or module:NAME, found {where!r}")
    module = _load(Path(place)) if place.endswith(".py") else _import(place)
    catalogs = {key: value for key, value in vars(module).items() if isinstance(value, Catalog)}
    if name not in catalogs:
        raise ValueError(f"features: expected a Catalog of {place} ({', '.join(catalogs) or 'it has none'}), found {name!r}")
    return catalogs[name]


def _import(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise ValueError(f"features: expected a module {place!r}, found that there is {error}; or name a file as FILE.py:NAME") from error


def _load(path: Path) -> ModuleType:
    if not path.is_file():
        raise ValueError(f"features: expected a Python file at {path}, found none")
    name = f"catalogue_{path.stem}"  # under its own name a file called features.py would take the place of ours
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"features: expected a Python file at {path}, found one that cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in the file look themselves up here
    spec.loader.exec_module(module)
    return module
