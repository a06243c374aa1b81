"""Calls to an application at which everybody has a key, as the tests of experts and of parties make them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from serving.store import Store
from tests.serving.test_app import Client


@dataclass
class Asking:
    """The application, the time, and everybody's key."""

    store: Store
    client: Client
    keys: dict[str, str]
    now: datetime

    def ask(self, who: str, method: str, path: str, key: str | None = None, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"} | ({} if key is None else {"idempotency-key": key})
        return self.client.request(method, path, headers=headers, **body)
