"""Files that are sound as a whole: most of what arrives is, and need not be judged row by row, nor be written anew.

A file in the lake's own form is kept byte for byte. What is judged and what is kept are the same bytes, read once: a file that
somebody writes to meanwhile cannot differ from what was checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.contract import Contract
from data_contracts.sound import is_sound
from pipelines.lake import frame_of

_LEAST, _MOST = 25_000, 2_000_000
"""Rows of a group, on average, with which a file is read well: whoever reads some of them reads a group."""


@dataclass(frozen=True, eq=False)
class SoundFile:
    """A file whose rows all keep the rules of their columns.

    Parameters
    ----------
    frame
        Its rows in the contract's pandas types.
    content
        Its bytes, where the lake can keep them as they are.
    """

    frame: pd.DataFrame
    content: bytes | None


def sound_file(path: Path, contract: Contract) -> SoundFile | None:
    """Read a Parquet file in the contract's types whose rows are all sound; ``None``: any other, which is for somebody else to judge.

    Parameters
    ----------
    path
        The file.
    contract
        What a row must be.
    """
    if path.suffix != ".parquet" or not path.is_file():
        return None
    content = path.read_bytes()
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            if file.schema_arrow.names != contract.arrow.names:
                return None
            table, metadata = file.read(), file.metadata
    except (pa.ArrowException, OSError):
        return None
    if not is_sound(table, contract):
        return None
    is_like_ours = table.schema.equals(contract.arrow) and _is_well_cut(metadata)
    return SoundFile(frame_of(table.replace_schema_metadata(), contract), content if is_like_ours else None)


def _is_well_cut(metadata: pq.FileMetaData) -> bool:
    rows, groups = int(metadata.num_rows), int(metadata.num_row_groups)
    return groups == (rows > 0) or _LEAST <= rows / max(1, groups) <= _MOST
