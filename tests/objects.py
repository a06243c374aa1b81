"""An S3-compatible server on this machine, which processes of ours find by their environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import s3fs
from moto.server import ThreadedMotoServer


@contextmanager
def serving(*buckets: str) -> Iterator[s3fs.S3FileSystem]:
    """Yield its file system, with some empty buckets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()  # one that was made for another server would go on asking that
        found = s3fs.S3FileSystem()
        for bucket in buckets:
            found.mkdir(bucket)
        yield found
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
