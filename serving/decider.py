"""What decides, and its trees walked beside other work: some claims at a time, by a thread of its own or by who needs them first."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread

from features.history import Floats
from models.scorer import Scorer, Seen

BUNCH = 4
"""Claims whose trees are walked together where another processor is free meanwhile: the sooner it begins, the sooner all are done."""

CROWD = 32
"""Claims whose trees are walked together where other processes keep the other processors busy: each tree is fetched from memory once for
all, which is most of the work, and no thread is woken for it more than once."""

Work = Callable[[], object]


class Beside:
    """A thread that does what one other thread gives it, in order; begun by the first of it, ended with the last mention of this.

    What :mod:`concurrent.futures` adds is felt by a claim that comes alone.

    Examples
    --------
    >>> from threading import Event
    >>> done, beside = Event(), Beside()
    >>> beside.give(done.set)
    >>> done.wait(5.0)
    True
    """

    def __init__(self) -> None:
        self._given: SimpleQueue[Work | None] = SimpleQueue()
        self._thread: Thread | None = None

    def give(self, work: Work) -> None:
        """Have something done; it must not raise."""
        if self._thread is None:
            self._thread = Thread(target=_serve, args=(self._given,), name="trees", daemon=True)
            self._thread.start()
            weakref.finalize(self, self._given.put, None)
        self._given.put(work)


def _serve(given: SimpleQueue[Work | None]) -> None:
    while (work := given.get()) is not None:
        work()
        del work  # nobody is kept alive by a thread that waits


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
    beside: Beside = field(default_factory=Beside)


class _Bunch:
    """Claims whose trees are walked together, once, by whoever comes first; others wait for it."""

    __slots__ = ("_done", "_failed", "_found", "_scorer", "_taken", "vectors")

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.vectors: list[Floats] = []
        self._taken, self._done = Lock(), Lock()
        self._done.acquire()
        self._found: list[Seen] = []
        self._failed: Exception | None = None

    def walk(self) -> None:
        """Walk the trees, unless somebody does or did."""
        if self._taken.acquire(blocking=False):
            try:
                self._found = self._scorer.see(self.vectors)
            except Exception as error:
                self._failed = error
            finally:
                self._done.release()

    def seen(self, place: int) -> Seen:
        """Return what the trees say of one of the claims, walked by now; raises what walking raised."""
        self.walk()
        with self._done:
            if self._failed is not None:
                raise self._failed
            return self._found[place]


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
        self._open = _Bunch(decider.scorer)

    def add(self, vector: Floats) -> Callable[[], Seen]:
        """Have the trees walked for a claim with these features, and return what waits for it, once :meth:`begin` was called."""
        bunch, place = self._open, len(self._open.vectors)
        bunch.vectors.append(vector)
        if len(bunch.vectors) == self.decider.bunch:
            self.begin()
        return lambda: bunch.seen(place)

    def begin(self) -> None:
        """Begin what has not begun because its bunch was not full."""
        if self._open.vectors:
            self.decider.beside.give(self._open.walk)
            self._open = _Bunch(self.decider.scorer)
