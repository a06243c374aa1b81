"""What decides, and its trees walked beside other work: some claims at a time, by a thread of its own or by who needs them first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from features.history import Floats
from models.scorer import Scorer, Seen

BUNCH = 4
"""Claims whose trees are walked together where another processor is free meanwhile: the sooner it begins, the sooner all are done."""

CROWD = 32
"""Claims whose trees are walked together where other processes keep the other processors busy: each tree is fetched from memory once for
all, which is most of the work, and no thread is woken for it more than once."""


@dataclass(frozen=True, slots=True)
class Decider:
    """What decides: one model with prices and rules. Every decision is made by exactly one.

    Parameters
    ----------
    scorer
        Does.
    bundle
        The model's hash.
    bunch
        How many claims' trees are walked together at most.
    beside
        Walks trees beside other work.
    """

    scorer: Scorer
    bundle: str
    bunch: int = BUNCH
    beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "trees"))


@dataclass(slots=True)
class _Bunch:
    vectors: list[Floats] = field(default_factory=list)
    begun: Future[list[Seen]] | None = None
    found: list[Seen] | None = None


class Walks:
    """Walks of the trees for claims that are looked at one after the other; for use by one thread.

    What nobody has begun when it is asked for is done by who asks: both processors are at work then.

    Parameters
    ----------
    decider
        Whose trees.
    """

    def __init__(self, decider: Decider) -> None:
        self.decider = decider
        self._open = _Bunch()

    def add(self, vector: Floats) -> Callable[[], Seen]:
        """Have the trees walked for a claim with these features, and return what waits for it, once :meth:`begin` was called."""
        bunch, place = self._open, len(self._open.vectors)
        bunch.vectors.append(vector)
        if len(bunch.vectors) == self.decider.bunch:
            self.begin()
        return lambda: self._seen(bunch)[place]

    def begin(self) -> None:
        """Begin what has not begun because its bunch was not full."""
        if self._open.vectors:
            self._open.begun = self.decider.beside.submit(self.decider.scorer.see, self._open.vectors)
            self._open = _Bunch()

    def _seen(self, bunch: _Bunch) -> list[Seen]:
        if bunch.found is None:
            begun = bunch.begun
            bunch.found = self.decider.scorer.see(bunch.vectors) if begun is None or begun.cancel() else begun.result()
        return bunch.found
