"""What workers share: imported once by their origin (:mod:`pipelines.origin`); nothing happens where anybody else imports this.

What counts requests is not among it: it looks for the folder that workers share while it is imported (:data:`serving.watch.FOLDER`).
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module

import numpy as np

from models.reason_kernel import strongest

NEEDED = (
    *("uvicorn", "uvloop", "httptools", "features.online", "models.scorer", "serving.engine", "serving.recognition"),
    *("serving.console.mounted", "serving.outside_routes", "serving.routes_mlflow", "serving.webhook_delivery"),
    *("pipelines.filled", "pipelines.lake_records", "pipelines.cli"),
)


def share() -> None:
    """Import everything, and hear no end: who knows how each worker ended must outlive them, and goes with the last of them."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever ends the endpoint may tell all its processes
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    for name in NEEDED:
        import_module(name)
    strongest(np.zeros(1), np.zeros(1, dtype=np.intp), 1, 1)  # whatever is compiled first takes Numba a good while


if "multiprocessing.forkserver" in " ".join(sys.orig_argv):  # the origin imports this, and calls nothing
    share()
