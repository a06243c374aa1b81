"""The process that listens: uvicorn with our settings, one process or several, stopped without losing what was accepted."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import FastAPI

from serving import journal
from serving.settings import Settings
from serving.watch import FOLDER

if TYPE_CHECKING:
    import uvicorn

SWITCH_SECONDS = 0.0005
"""How long the deciding thread may keep the interpreter while the loop waits for it; Python's own 5 ms would be most of a request."""

YOUNG = 20_000
"""Objects made before Python looks for cycles among them; its own 700 are fewer than what one claim makes and drops."""

STARTING_SECONDS = 120
"""How long a worker may say nothing: while it loads compiled code it cannot, and a shorter patience would end it before it began."""


def run(build: Callable[[], FastAPI], settings: Settings) -> None:
    """Listen until told to stop (SIGINT or SIGTERM); requests that were accepted are finished.

    Parameters
    ----------
    build
        Makes the application, once in every process: with several workers it must pickle, such as a ``functools.partial`` of a
        function of a module.
    settings
        Where to listen, with how many processes, and how.
    """
    import uvicorn

    from pipelines.supervisor import Supervisor, port_of

    config = config_of(build, settings)
    journal.keep(settings.log_level)
    if settings.workers == 1:
        uvicorn.Server(config).run()
        return
    with tempfile.TemporaryDirectory(prefix="touchstone-metrics") as folder:
        os.environ.setdefault(FOLDER, folder)  # prometheus_client reads it while it is imported in the workers
        Supervisor(config, sockets=[port_of(config)]).run()


def config_of(build: Callable[[], FastAPI], settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration, as :func:`run` uses it."""
    import uvicorn

    return uvicorn.Config(
        _Prepared(build, settings.log_level),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop" if sys.platform != "win32" else "auto",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_worker_healthcheck=STARTING_SECONDS,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
    )


class _Prepared:
    """Makes the application in a worker's process, after its journal."""

    def __init__(self, build: Callable[[], FastAPI], level: str) -> None:
        self._build, self._level = build, level

    def __call__(self) -> FastAPI:
        journal.keep(self._level)
        sys.setswitchinterval(SWITCH_SECONDS)
        app = self._build()
        _settle()
        return app


def _settle() -> None:
    """Leave what was made so far out of every later search for cycles: going through it held up all requests for 170 ms now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
