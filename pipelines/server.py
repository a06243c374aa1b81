"""The process that listens: uvicorn with our settings, one process or several, stopped without losing what was accepted."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI

from pipelines.attendant import Attendant, IsOver, Work
from pipelines.collector import settle
from serving import journal
from serving.settings import Settings
from serving.watch import FOLDER

if TYPE_CHECKING:
    import uvicorn

SWITCH_SECONDS = 0.0005
"""How long the deciding thread may keep the interpreter while the loop waits for it; Python's own 5 ms would be most of a request."""

STARTING_SECONDS = 120
"""How long a worker may say nothing: while it loads compiled code it cannot, and a shorter patience would end it before it began."""


def run(build: Callable[[], FastAPI], settings: Settings, beside: Work | None = None) -> None:
    """Listen until told to stop (SIGINT or SIGTERM); requests that were accepted are finished.

    Parameters
    ----------
    build
        Makes the application, once in every process: with several workers it must pickle, such as a ``functools.partial`` of a
        function of a module.
    settings
        Where to listen, with how many processes, and how.
    beside
        What a process beside those that listen does.
    """
    import uvicorn

    from pipelines.supervisor import Supervisor, port_of

    config = config_of(build, settings)
    journal.keep(settings.log_level)
    with ExitStack() as stack:
        if settings.workers > 1:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="touchstone-metrics"))
            os.environ.setdefault(FOLDER, folder)  # prometheus_client reads it while it is imported in the workers
        if beside is not None:
            stack.enter_context(Attendant(partial(_journalled, beside, settings.log_level)))
        if settings.workers == 1:
            uvicorn.Server(config).run()
        else:
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


def _journalled(work: Work, level: str, is_over: IsOver) -> None:
    journal.keep(level)
    work(is_over)


class _Prepared:
    """Makes the application in a worker's process, after its journal."""

    def __init__(self, build: Callable[[], FastAPI], level: str) -> None:
        self._build, self._level = build, level

    def __call__(self) -> FastAPI:
        journal.keep(self._level)
        sys.setswitchinterval(SWITCH_SECONDS)
        app = self._build()
        settle()
        return app
