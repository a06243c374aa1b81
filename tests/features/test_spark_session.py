"""A session is opened or refused at once, with what to do."""

from __future__ import annotations

import socket

import pytest

from features.facts import FeatureError
from features.spark_session import session


def test_a_spark_connect_server_that_is_not_there_is_named_at_once() -> None:
    pytest.importorskip("pyspark", reason="no pyspark: install the extra touchstone[spark]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, but nobody listens
        address = f"sc://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(FeatureError, match=f"expected a Spark Connect server at {address}, found none"), session(address, 1 << 30):
            pass


def test_an_address_without_a_host_is_refused() -> None:
    pytest.importorskip("pyspark", reason="no pyspark: install the extra touchstone[spark]")
    with pytest.raises(FeatureError, match="expected a Spark Connect server at sc://:15, found none"), session("sc://:15", 1 << 30):
        pass
