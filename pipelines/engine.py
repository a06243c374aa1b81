"""What may compute the feature matrix, and with what: one small module, so that ``--help`` need not load an engine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])i?B", re.IGNORECASE)
_POWERS = {"K": 10, "M": 20, "G": 30, "T": 40}
_MASTER = re.compile(r"local(\[(\d+|\*)\])?|(spark|k8s|sc)://\S+|yarn")


class Engine(StrEnum):
    """What computes the matrix."""

    LOCAL = "local"
    BOUNDED = "bounded"
    SPARK = "spark"


@dataclass(frozen=True)
class Carrier:
    """What computes the matrix, and with what.

    Parameters
    ----------
    engine
        Arrays in memory, a bounded memory, or Apache Spark.
    memory
        Bytes that the bounded engine may take; with Spark, those of its driver.
    master
        With Spark: a master URL such as ``local[2]``, or the ``sc://`` address of a Spark Connect server.
    threads
        With arrays in memory: how many threads may work.

    Raises
    ------
    ValueError
        If the master is no address that Spark knows, or nobody may work.
    """

    engine: Engine = Engine.LOCAL
    memory: int = 2 << 30
    master: str = "local[2]"
    threads: int = 1

    def __post_init__(self) -> None:
        if not _MASTER.fullmatch(self.master):
            raise ValueError(f"master: expected local[2], spark://host:port, yarn, k8s://… or sc://host:port, found {self.master!r}")
        if self.threads < 1:
            raise ValueError(f"threads: expected at least one, found {self.threads}")


def memory_of(text: str) -> int:
    """Read an amount of memory as people write it; a gigabyte is 2³⁰ bytes.

    Raises
    ------
    ValueError
        If it is no amount of memory.

    Examples
    --------
    >>> memory_of("2GB"), memory_of("1.5 MiB")
    (2147483648, 1572864)
    """
    found = _MEMORY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"memory: expected an amount such as 2GB or 1500MB, found {text!r}")
    return int(float(found[1]) * (1 << _POWERS[found[2].upper()]))
