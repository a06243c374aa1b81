"""How transactions begin on SQLite, those that write one after the other, and how its log is carried into the file."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from serving import database
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


def test_a_log_that_is_long_begins_anew_unless_somebody_reads_an_earlier_state_who_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_LONG", 4)
    log = tmp_path / "store.db-wal"

    def write(store: Store) -> int:
        """Write a little, and return how large the log is."""
        for at in range(100):
            with store.write() as tx:
                set_mark(tx, "turn", at)
        return log.stat().st_size

    with Store(f"sqlite:///{tmp_path}/store.db") as store:
        store.carry()
        once = write(store)
        store.carry()
        assert write(store) == once  # in the place of what was carried
        with store.view() as view:
            assert mark(view, "turn") == 99
            write(store)
            begin = monotonic()
            store.carry()
            assert monotonic() - begin < 10.0 and mark(view, "turn") == 99
            longer = write(store)
        assert longer > once
        store.carry()
        assert write(store) == longer
