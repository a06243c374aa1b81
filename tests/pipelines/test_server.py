"""The listening process: what the settings say reaches the socket, and a stop finishes what was accepted."""

from __future__ import annotations

import gc
import logging
import pickle
import ssl
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fastapi import FastAPI

from pipelines.server import config_of
from serving.settings import Settings


def hello() -> FastAPI:
    app = FastAPI()
    app.get("/")(lambda: "hello")
    return app


@pytest.fixture
def quiet() -> Iterator[None]:
    """Give the loggers, how often threads take turns and how cycles are looked for back as they were."""
    turns, thresholds = sys.getswitchinterval(), gc.get_threshold()
    loggers = [logging.getLogger(name) for name in ("touchstone", "uvicorn")]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    sys.setswitchinterval(turns)
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@contextmanager
def listening(build: Callable[[], FastAPI], settings: Settings) -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve on a free port; yields host and port, and what tells it to stop and waits until it has."""
    config = config_of(build, settings)
    config.port = 0
    server, bound = uvicorn.Server(config), config.bind_socket()
    bound.listen()  # whoever calls before the server is up waits for it
    thread = Thread(target=server.run, args=([bound],))
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join()

    try:
        yield f"127.0.0.1:{bound.getsockname()[1]}", stop
    finally:
        stop()
        bound.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine that signs itself, and its key."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


@pytest.mark.usefixtures("quiet")
def test_with_certificate_and_key_it_speaks_tls_and_nothing_else(files: tuple[Path, Path]) -> None:
    certificate, private = files
    settings = Settings(tls_certificate=str(certificate), tls_key=str(private))
    with listening(hello, settings) as (address, _):
        port = address.rpartition(":")[2]
        found = httpx.get(f"https://localhost:{port}/", verify=ssl.create_default_context(cafile=certificate))
        assert found.json() == "hello" and "server" not in found.headers
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"https://localhost:{port}/")  # nobody vouches for it
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://localhost:{port}/")


@pytest.mark.usefixtures("quiet")
def test_told_to_stop_it_finishes_what_it_accepted() -> None:
    begun, go = Event(), Event()

    def slow() -> FastAPI:
        app = FastAPI()

        @app.get("/")
        def answer() -> str:
            begun.set()
            return "finished" if go.wait(20) else "gave up"

        return app

    with listening(slow, Settings()) as (address, stop), ThreadPoolExecutor(2) as pool:
        asked = pool.submit(httpx.get, f"http://{address}/", timeout=30)
        assert begun.wait(20)
        stopped = pool.submit(stop)
        with pytest.raises(httpx.HTTPError):  # nobody new is let in: refused at once, or hung up on
            while True:
                httpx.get(f"http://{address}/", timeout=0.2)
        go.set()
        assert asked.result().json() == "finished"
        stopped.result()


def test_what_a_worker_is_given_can_be_sent_to_it() -> None:
    config = config_of(partial(hello), Settings(workers=3, shutdown_seconds=7))
    sent = pickle.loads(pickle.dumps(config))
    assert sent.workers == 3 and sent.timeout_graceful_shutdown == 7 and sent.factory


@pytest.mark.usefixtures("quiet")
def test_what_is_there_when_it_begins_to_listen_is_never_searched_for_cycles_again() -> None:
    made = {}

    def build() -> FastAPI:
        made["model"] = [[] for _ in range(10)]
        return hello()

    with listening(build, Settings()) as (address, _):
        assert httpx.get(f"http://{address}/").json() == "hello"
        tracked = {id(found) for found in gc.get_objects()}
        assert not tracked & {id(part) for part in made["model"]} and gc.get_freeze_count() > len(made["model"])
