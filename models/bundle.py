"""A trained model as a folder of plain files: LightGBM's text, JSON, and a manifest with the hash of every file.

The bundle's name is its content: the same data, seed and code give the same hash, and a folder in which a byte was changed,
a file is missing or the feature catalogue is another one is refused. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import CONTRACTS
from models.calibration_maps import Calibration
from models.classifier import Classifier, Node
from models.inputs import Inputs
from models.reference import Reference
from models.risk import Guarantee

FORMAT = 1
"""The layout of the folder; a bundle of another layout is refused."""

MANIFEST = "manifest.json"
_REFERENCE, _GUARANTEE = "reference.json", "guarantee.json"


class BundleError(ValueError):
    """A folder that is not a bundle, was altered, or does not fit this code."""


def contracts_hash() -> str:
    """Return the hash of all data contracts: names, kinds, bounds and references of every column."""
    described = [
        (name, [repr(c) for c in contract.columns], [repr(r) for r in contract.references]) for name, contract in CONTRACTS.items()
    ]
    return _sha(_json(described))


@dataclass(frozen=True)
class Bundle:
    """A classifier, its calibration, and where both come from.

    Parameters
    ----------
    classifier
        The nested boosters and their columns.
    calibration
        The map to probabilities.
    catalog_hash
        Hash of the feature catalogue that made the training matrix.
    trained
        What the training was: as_of, seed, parameters, data hash, windows, metrics; plain JSON values only.
    contract_hash
        Hash of the data contracts; those of this code by default.
    reference
        What is usual, for comparisons in reasons; a bundle of an earlier version has none.
    guarantee
        From which probability on it may call a claim abusive without an expert; without one, prices alone say.
    """

    classifier: Classifier
    calibration: Calibration
    catalog_hash: str
    trained: Mapping[str, Any] = field(default_factory=dict)
    contract_hash: str = field(default_factory=contracts_hash)
    reference: Reference | None = None
    guarantee: Guarantee | None = None

    @property
    def inputs(self) -> Inputs:
        """The columns the model reads."""
        return self.classifier.inputs

    def predict_proba(self, matrix: pd.DataFrame, num_threads: int = 1) -> np.ndarray:
        """Return calibrated probabilities, shape (rows, 3) in the order of ``LABELS``; a row's result is its own."""
        return self.calibration.proba(self.classifier.raw(matrix, num_threads))

    @cached_property
    def files(self) -> dict[str, str]:
        """The text of every file of the folder except the manifest, by name."""
        nodes = {"abusive": self.classifier.abusive, "unsubstantiated": self.classifier.unsubstantiated}
        questions = {name: {"rounds": node.rounds, "constant": repr(float(node.constant))} for name, node in nodes.items()}
        return {
            **{f"model_{name}.txt": node.model for name, node in nodes.items()},
            "nodes.json": _json(questions),
            "calibration.json": _json(self.calibration.to_json()),
            "features.json": _json(self.inputs.to_json()),
            **({} if self.reference is None else {_REFERENCE: _json(self.reference.to_json())}),
            **({} if self.guarantee is None else {_GUARANTEE: _json(self.guarantee.to_json())}),
        }

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The content of ``manifest.json``: hashes of all files, contract and catalogue, what was trained, and the bundle's own hash."""
        body = {
            "format": FORMAT,
            "contract_hash": self.contract_hash,
            "catalog_hash": self.catalog_hash,
            "trained": dict(self.trained),
            "files": {name: _sha(text) for name, text in sorted(self.files.items())},
        }
        return {**body, "hash": _sha(_json(body))}

    @property
    def hash(self) -> str:
        """The bundle's content hash, 64 hexadecimal digits."""
        return str(self.manifest["hash"])


def save(bundle: Bundle, folder: Path) -> str:
    """Write a bundle to a folder and return its hash.

    The files are written beside the folder and moved into place at once; a folder that already holds this bundle is left alone.

    Raises
    ------
    BundleError
        If the folder exists and holds anything else.
    """
    folder = Path(folder)
    if folder.exists():
        if _manifest(folder).get("hash") == bundle.hash:
            return bundle.hash
        raise BundleError(
            f"{folder}: expected a new folder or this very bundle {bundle.hash[:12]}, found something else; choose another folder"
        )
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, text in {**bundle.files, MANIFEST: _json(bundle.manifest)}.items():
        (unfinished / name).write_text(text, encoding="utf-8", newline="\n")
    unfinished.rename(folder)
    return bundle.hash


def load(folder: Path, catalog_hash: str | None = None) -> Bundle:
    """Read a bundle from its folder.

    Parameters
    ----------
    folder
        What :func:`save` wrote.
    catalog_hash
        Hash of the catalogue that will make the matrices; not compared where left out.

    Raises
    ------
    BundleError
        If a file is missing or altered, the layout is another one, or contracts or catalogue differ from those of the training.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    if manifest.get("format") != FORMAT:
        raise BundleError(
            f"{folder}: expected a bundle of format {FORMAT}, found {manifest.get('format')!r}; train again with this version"
        )
    texts = {name: _checked(folder, name, expected) for name, expected in manifest["files"].items()}
    body = {key: value for key, value in manifest.items() if key != "hash"}
    if _sha(_json(body)) != manifest.get("hash"):
        raise BundleError(
            f"{folder / MANIFEST}: expected a content with hash {manifest.get('hash')}, found another; the manifest was altered"
        )
    _must_fit("contract", manifest["contract_hash"], contracts_hash(), folder)
    if catalog_hash is not None:
        _must_fit("catalog", manifest["catalog_hash"], catalog_hash, folder)
    questions = json.loads(texts["nodes.json"])
    nodes = {name: Node(texts[f"model_{name}.txt"], int(q["rounds"]), float(q["constant"])) for name, q in questions.items()}
    classifier = Classifier(Inputs.from_json(json.loads(texts["features.json"])), nodes["abusive"], nodes["unsubstantiated"])
    calibration = Calibration.from_json(json.loads(texts["calibration.json"]))
    usual = Reference.from_json(json.loads(texts[_REFERENCE])) if _REFERENCE in texts else None
    harmless = Guarantee.from_json(json.loads(texts[_GUARANTEE])) if _GUARANTEE in texts else None
    return Bundle(classifier, calibration, manifest["catalog_hash"], manifest["trained"], manifest["contract_hash"], usual, harmless)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder}: expected a bundle with a {MANIFEST}, found none")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: expected JSON, found {error}") from error


def _checked(folder: Path, name: str, expected: str) -> str:
    path = folder / name
    if not path.is_file():
        raise BundleError(f"{path}: expected a file with hash {expected[:12]}…, found none")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise BundleError(f"{path}: expected hash {expected[:12]}…, found {found[:12]}…; the file was altered after training")
    return content.decode("utf-8")


def _must_fit(what: str, trained: str, here: str, folder: Path) -> None:
    if trained != here:
        raise BundleError(
            f"{folder}: expected a bundle trained on {what} {here[:12]}…, found one trained on {trained[:12]}…; "
            "train again or use the code of its day"
        )


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
