"""Where workers come from: one process that has imported what each of them needs, and then divides for each (Linux).

Importing pandas, Numba, SQLAlchemy and FastAPI takes longer than everything else that a worker does before it answers. The origin does it
once, while the endpoint's own process looks after the history; a worker that is begun from it, or begun again, has it all. The origin
opens no store, starts no thread and answers nobody. Elsewhere than on Linux every worker begins from nothing.
"""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing import forkserver
from multiprocessing.context import BaseContext


def begin() -> BaseContext:
    """Begin the origin, if nobody has, and return how workers are begun; nobody waits for it before the first worker does."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipelines.preloaded"])
    forkserver.ensure_running()
    return context
