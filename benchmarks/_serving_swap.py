"""The model exchanged again and again under load: nothing may fail, and every answer must be that of exactly one version."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle
from typing import Any

import pandas as pd

from benchmarks._serving_peers import Peer, python, running
from benchmarks._serving_server import KEY
from benchmarks._serving_world import World, model
from data_contracts import CLAIMS
from features.online import OnlineHistory
from features.pages import MemoryPages
from models.bundle import Bundle
from models.classifier import Node
from models.scorer import probabilities
from models.shelf import Shelf
from serving.history import StorePages
from serving.store import Store, rows_of

CALLERS, SECONDS, EVERY, CHECKED, FEWER = 8, 8.0, 0.4, 300, 100
"""Callers at once, for how long, seconds between two exchanges, answers computed again, trees of the other model."""


def swapped(world: World) -> dict[str, Any]:
    """Exchange two models under load, and return how many requests there were, failed, and were answered by no single version."""
    first = model(world)
    other = replace(first, classifier=replace(first.classifier, abusive=_shorter(first.classifier.abusive)))
    shelf = Shelf(world.root / "shelf")
    names = [shelf.put(first), shelf.put(other)]
    shelf.point("champion", names[0])
    url = world.copy_of_store("swap")
    server = python("-m", "benchmarks._serving_server", "swap", "{port}", str(world.root), url, "NORMAL", "reasons")
    lines = world.claims.read_text(encoding="utf-8").splitlines()
    exchanges = 0
    peer = Peer("swap", server, "/v1/claims:score", world.claims, "/readyz")
    with running(peer, world.root / "swap.log") as target, ThreadPoolExecutor(CALLERS) as pool:
        end = time.monotonic() + SECONDS
        callers = [pool.submit(_call, target.port, lines[n::CALLERS], end) for n in range(CALLERS)]
        for name in cycle(reversed(names)):
            if time.monotonic() >= end:
                break
            shelf.point("champion", name)
            exchanges += 1
            time.sleep(EVERY)
        answers = [answer for caller in callers for answer in caller.result()]
    decided = [json.loads(body) for status, body in answers if status == 200]
    return {
        "requests": len(answers),
        "failed": sum(status != 200 for status, _ in answers),
        "exchanges asked for": exchanges,
        "answers by version": dict(Counter(row["bundle"][:12] for row in decided)),
        "inconsistent": _inconsistent(url, decided[:: max(1, len(decided) // CHECKED)], dict(zip(names, (first, other), strict=True))),
    }


def _call(port: int, lines: list[str], end: float) -> list[tuple[int, bytes]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    answers = []
    for line in lines:
        if time.monotonic() >= end:
            break
        connection.request("POST", "/v1/claims:score", line.encode(), headers)
        response = connection.getresponse()
        answers.append((response.status, response.read()))
    connection.close()
    return answers


def _inconsistent(url: str, decided: list[dict[str, Any]], versions: dict[str, Bundle]) -> int:
    """Count answers whose probabilities are not, to the last bit, those of the version they name."""
    history = OnlineHistory(MemoryPages())
    wrong = 0
    with Store(url, "NORMAL") as store, store.view() as view:
        within = history.within(StorePages(view))
        claims = store.read("claims", {"claim_id": [row["claim_id"] for row in decided]})
        received = {row["claim_id"]: row for row in rows_of(CLAIMS, claims)}
        for row in decided:
            matrix = within.row(received[row["claim_id"]])
            found = probabilities(versions[row["bundle"]], matrix).iloc[0] if row["bundle"] in versions else pd.Series(dtype="float64")
            wrong += any(found.get(name) != row[name] for name in ("p_valid", "p_unsubstantiated", "p_abusive"))
    return wrong


def _shorter(node: Node) -> Node:
    return Node(node.booster.model_to_string(num_iteration=FEWER), FEWER)
