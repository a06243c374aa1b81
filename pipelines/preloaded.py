"""What workers share: imported by their origin (:mod:`pipelines.origin`) and by nobody else.

What counts requests is not among it: it looks for the folder that workers share while it is imported (:data:`serving.watch.FOLDER`).
"""

from __future__ import annotations

import os
import signal
from importlib import import_module

import numpy as np

from models.reason_kernel import strongest

NEEDED = (
    *("uvicorn", "uvloop", "httptools", "features.online", "models.scorer", "serving.engine", "serving.recognition"),
    *("serving.console.mounted", "serving.outside_routes", "serving.routes_mlflow", "serving.webhook_delivery"),
    *("pipelines.filled", "pipelines.lake_records", "pipelines.cli"),
)

# Whoever ends the endpoint tells all its processes; the one that knows how each worker ended must outlive them, and goes with the last.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))

for name in NEEDED:
    import_module(name)

strongest(np.zeros(1), np.zeros(1, dtype=np.intp), 1, 1)  # whatever is compiled first takes Numba a third of a second
