"""How transactions begin on SQLite: those that write one after the other."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from serving.store import Store, mark, set_mark


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.15])
def test_who_writes_while_another_one_does_waits_for_the_turn_however_long_that_takes(seconds: float, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with Store(url) as one, Store(url) as other:

        def write() -> None:
            with other.write() as tx:
                set_mark(tx, "turn", 2)

        with one.write() as tx:
            waiting = Thread(target=write)
            waiting.start()
            waiting.join(seconds)
            assert waiting.is_alive()
            set_mark(tx, "turn", 1)
        waiting.join(20)
        with one.view() as view:
            assert mark(view, "turn") == 2
