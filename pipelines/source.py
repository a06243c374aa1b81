"""Files as they arrive: Parquet (typed) or CSV (all text), read whole or refused with a reason.

A CSV line with too many or too few fields is one bad row, not a bad file: it is set aside and quarantined. A file that
ends in the middle of a row was cut off, and is refused: its last good row may be a lie as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from data_contracts.check import REASONS
from data_contracts.contract import Contract, ContractError


@dataclass(frozen=True)
class Arrived:
    """A file's rows.

    Parameters
    ----------
    frame
        The rows that have as many fields as the header; text throughout for CSV, an empty unquoted field is missing.
    broken
        The other rows: the raw line in the first column, and ``reasons``.
    """

    frame: pd.DataFrame
    broken: pd.DataFrame

    @property
    def read(self) -> int:
        """Rows in the file, the header apart."""
        return len(self.frame) + len(self.broken)


def read_file(path: Path, contract: Contract | None = None) -> Arrived:
    """Read a file of rows by its ending, ``.parquet`` or ``.csv`` (UTF-8, comma, header line).

    Parameters
    ----------
    path
        The file.
    contract
        What the rows should be, if that is known. A CSV file cannot tell empty text from none: where the contract demands
        a text and allows it to be empty, an empty field is the empty text, elsewhere it is missing.

    Raises
    ------
    ContractError
        If the file is absent, empty, cut off, not what its ending says, or names a column twice.
    """
    readers = {".parquet": _read_parquet, ".csv": _read_csv}
    if path.suffix not in readers:
        raise ContractError(f"{path}: expected a .parquet or .csv file, found {path.suffix or 'no ending'!r}")
    if not path.is_file():
        raise ContractError(f"{path}: expected a file, found none")
    if path.stat().st_size == 0:
        raise ContractError(f"{path}: expected rows under a header, found an empty file; send it again")
    try:
        arrived = readers[path.suffix](path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: expected a complete {path.suffix[1:]} file, found {error}; send it again") from error
    names = list(arrived.frame.columns)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ContractError(f"{path}: expected each column once, found {', '.join(twice)} more than once")
    return arrived if path.suffix == ".parquet" or contract is None else replace(arrived, frame=_with_empty_text(arrived.frame, contract))


def _with_empty_text(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    free = [c.name for c in contract.columns if c.kind == "string" and not (c.nullable or c.choices or c.pattern or c.min_length)]
    return frame.fillna(dict.fromkeys((name for name in free if name in frame.columns), ""))


def _read_parquet(path: Path) -> Arrived:
    frame = pq.read_table(path, partitioning=None).to_pandas(date_as_object=False)
    return Arrived(frame.reset_index(drop=True), pd.DataFrame({REASONS: pd.Series(dtype="str")}))


def _read_csv(path: Path) -> Arrived:
    names = _header(path)
    broken: list[Any] = []

    def set_aside(row: Any) -> str:
        broken.append(row)
        return "skip"

    table = pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(use_threads=False),
        parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=set_aside),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
        ),
    )
    cut = bool(broken) and (not _ends_with_newline(path) or broken[-1].text.count('"') % 2 == 1)
    if cut and broken[-1].number == table.num_rows + len(broken) + 1:
        raise ContractError(
            f"{path}: expected {broken[-1].expected_columns} fields in every row, found the file cut off after "
            f"{broken[-1].actual_columns} in its last line {broken[-1].text[:80]!r}; send it again"
        )
    reasons = [f"row: expected {row.expected_columns} fields, found {row.actual_columns} in line {row.number}" for row in broken]
    aside = pd.DataFrame({names[0]: [row.text for row in broken], REASONS: reasons}, dtype="str")
    return Arrived(table.to_pandas().astype("str"), aside)


def _header(path: Path) -> list[str]:
    """Return the names in the first line, as the reader itself splits them."""
    with pacsv.open_csv(path, parse_options=pacsv.ParseOptions(invalid_row_handler=lambda _: "skip")) as reader:
        return list(reader.schema.names)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) in b"\r\n"
