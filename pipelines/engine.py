"""What may compute the feature matrix, and with what: one small module, so that ``--help`` need not load an engine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])i?B", re.IGNORECASE)
_POWERS = {"K": 10, "M": 20, "G": 30, "T": 40}
_MASTER = re.compile(r"local(\[(\d+|\*)\])?|(spark|k8s|sc)://\S+|yarn")


class Engine(StrEnum):
    """What computes the matrix; ``auto``: arrays in memory where they fit into it, else within bounds."""

    AUTO = "auto"
    LOCAL = "local"
    BOUNDED = "bounded"
    SPARK = "spark"


@dataclass(frozen=True)
class Carrier:
    """What computes the matrix, and with what.

    Parameters
    ----------
    engine
        Arrays in memory, a bounded memory, the first of them that fits, or Apache Spark.
    memory
        Bytes that may be taken; with Spark, those of its driver. By default 2 GiB, with ``auto`` half of what is free.
    master
        With Spark: a master URL such as ``local[2]``, or the ``sc://`` address of a Spark Connect server.
    threads
        Without Spark: how many threads may work; no engine's result depends on it.

    Raises
    ------
    ValueError
        If the master is no address that Spark knows, or nobody may work.
    """

    engine: Engine = Engine.LOCAL
    memory: int | None = None
    master: str = "local[2]"
    threads: int = 1

    @property
    def bound(self) -> int:
        """The memory that was stated, or 2 GiB."""
        return 2 << 30 if self.memory is None else self.memory

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
