"""The laws of the store's steps: they lead where the schema is, and an older store is brought there with everything in it."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from pandas.testing import assert_frame_equal
from sqlalchemy import Connection, create_engine, insert, inspect, text

from data_contracts import DECISIONS
from features.history import NEVER
from features.online_contents import Stories
from features.online_rows import alone, key_of
from features.pages import END
from models.policy import default_policy
from serving import audit, migrations
from serving.decided import capacity, day_of, write_decisions
from serving.driver import Driver
from serving.fresh import Merging
from serving.history import StorePages
from serving.migrations import HEAD, StoreVersionError, version
from serving.queue import MINUTES
from serving.schema import DECISIONS_TABLE, METADATA
from serving.schema_history import HISTORY_LONE, HISTORY_PAGES, HISTORY_SHELVES
from serving.store import Store, rows_of
from serving.written import json_of
from tests.postgres import Server
from tests.serving.cases import town

TOWN = town(60, 5)
STEPS = sorted(path.stem for path in (Path(migrations.__file__).parent / "versions").glob("v*.py"))


def test_the_steps_lead_to_the_schema_and_the_last_one_is_the_head(store_url: str) -> None:
    with Store(store_url) as store, store.view() as tx:
        assert compare_metadata(without_partitions(tx), METADATA) == []
        assert set(inspect(tx).get_table_names()) - partitions(tx) == {*METADATA.tables, "alembic_version"}
        assert version(tx) == HEAD == importlib.import_module(f"serving.migrations.versions.{STEPS[-1]}").revision


def partitions(tx: Connection) -> set[str]:
    """The tables that are parts of others; only PostgreSQL has them."""
    if tx.dialect.name == "sqlite":
        return set()
    return {row[0] for row in tx.execute(text("SELECT inhrelid::regclass::text FROM pg_inherits")) if not row[0].endswith("_pkey")}


def without_partitions(tx: Connection) -> MigrationContext:
    parts = partitions(tx)
    return MigrationContext.configure(tx, opts={"include_name": lambda name, kind, _: kind != "table" or name not in parts})


def test_on_postgresql_the_history_lies_in_partitions_by_its_keys(postgres: Server) -> None:
    with Store(postgres.database()) as store, store.write() as tx:
        names = [table.name for table in (HISTORY_LONE, HISTORY_PAGES, HISTORY_SHELVES)]
        assert partitions(tx) == {f"{name}_{number}" for name in names for number in range(8)}
        stored = StorePages(tx)
        stored.put([((key.to_bytes(4, "big"), 3), 0, b"\0") for key in range(400)] + [((key, 0), 0, b"\0") for key in range(400)])
        stored.flush()
        assert StorePages(tx).tidy(800)
        merging = Merging(800)
        while not merging.step(tx, 90):
            assert StorePages(tx).latest([(b"\0\0\0\1", 3), (399, 0)], [END, END]) == [b"\0", b"\0"]
        for name in ("history_lone", "history_shelves"):
            held = [tx.execute(text(f"SELECT count(*) FROM {name}_{number}")).scalar_one() for number in range(8)]
            assert sum(held) == 400 and min(held) > 20


def first_version(url: str) -> None:
    """A store as the first version left it: no version noted, decisions in it."""
    engine = create_engine(url)
    with engine.begin() as tx:
        context = MigrationContext.configure(tx)
        with Operations.context(context):
            importlib.import_module(f"serving.migrations.versions.{STEPS[0]}").upgrade()
        tx.execute(insert(DECISIONS_TABLE), rows_of(DECISIONS, TOWN.decisions))
    engine.dispose()


def test_a_store_of_the_first_version_is_brought_up_to_date_with_everything_in_it(store_url: str) -> None:
    first_version(store_url)
    with Store(store_url) as store:
        assert_frame_equal(store.read("decisions"), TOWN.decisions.sort_values("claim_id", ignore_index=True))
        with store.view() as tx:
            assert audit.verify(tx).entries == len(TOWN.decisions)
            assert compare_metadata(without_partitions(tx), METADATA) == []
            capacity(Driver(tx), default_policy(), day_of(int(rows_of(DECISIONS, TOWN.decisions)[0]["decided_at"])))
        with Store("sqlite://") as anew:
            anew.record_decisions(TOWN.decisions)
            assert_frame_equal(anew.read("experts_taken"), store.read("experts_taken"))


def test_logs_that_are_read_alone_are_found_in_a_store_that_kept_them_on_shelves(store_url: str) -> None:
    content = Stories().few(["the kettle melted while it stood on the stove " + " ".join(map(str, range(200)))])
    code, entry = content.codes.item(), content.entries[0].tolist()
    told, bucket, other = _shelf(0x8020, code), _shelf(0x8024, 5, -7), b"\x00\x01" + bytes(8)
    held = [(told, 0x8020, 5, content.mark(0)), (bucket, 0x8024, 20, _words(1, code, 20, code)), (other, 6, 20, b"stays")]
    engine = create_engine(store_url)
    with engine.begin() as tx:
        with Operations.context(MigrationContext.configure(tx)):
            for step in STEPS[:5]:
                importlib.import_module(f"serving.migrations.versions.{step}").upgrade()
        tx.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        tx.execute(text("INSERT INTO alembic_version VALUES ('0005')"))
        tx.execute(insert(HISTORY_SHELVES), [{"shelf": s, "log": n, "first_at": at, "closed": 1, "page": page} for s, n, at, page in held])
        closed = [(bucket, 0x8024, _words(0, NEVER, 10, code)), (other, 6, b"stays0")]
        tx.execute(insert(HISTORY_PAGES), [{"shelf": s, "log": n, "first_at": 10, "page": page} for s, n, page in closed])
    engine.dispose()
    last, first = _words(1, *entry, 20, *entry), _words(0, NEVER, NEVER, 10, *entry)
    with Store(store_url) as store, store.view() as tx:
        pages, keys = StorePages(tx), [key_of(alone(0x8024), (5, -7)), (other, 6)]
        assert pages.latest(keys, [END, END]) == [last, b"stays"]
        assert pages.latest(keys, [20, 20]) == [first, b"stays0"]
        assert [pages.between(key, 0, END) for key in keys] == [[first, last], [b"stays0", b"stays"]]
        assert pages.latest([key_of(alone(0x8020), (code,))], [END]) == [content.mark(0)]
        assert len(store.read("history_shelves")) == 1


def _shelf(log: int, *codes: int) -> bytes:
    return log.to_bytes(2, "big") + b"".join(code.to_bytes(8, "big", signed=True) for code in codes)


def _words(*words: int) -> bytes:
    return np.array(words, dtype="<i8").tobytes()


def test_what_was_entered_one_by_one_before_is_answered_as_it_was_and_stands_beside_what_is_entered_together(store_url: str) -> None:
    earlier, later = TOWN.decisions[:40], TOWN.decisions[40:]
    with Store(store_url) as store, store.write() as tx:
        told, _ = write_decisions(tx, rows_of(DECISIONS, earlier), MINUTES)
        _back_to_0009(tx)
    with Store(store_url) as store:
        store.record_decisions(later)
        with store.view() as tx:
            assert audit.verify(tx).entries == len(earlier) + 1 and audit.verify(tx).broken == ""
            found = audit.answers(Driver(tx), TOWN.decisions["claim_id"])
            assert compare_metadata(without_partitions(tx), METADATA) == []
    assert list(found.values()) == [*told, *(json_of(DECISIONS, row) for row in rows_of(DECISIONS, later))]


def _back_to_0009(tx: Connection) -> None:
    """Take the last steps back."""
    for table in ("audit_attachments", "history_fresh_shelves", "history_fresh_lone"):
        tx.execute(text(f"DROP TABLE {table}"))
    for act in ("update", "delete"):
        tx.execute(text(f"DROP TRIGGER IF EXISTS decisions_no_{act}" + (" ON decisions" if tx.dialect.name == "postgresql" else "")))
    if tx.dialect.name == "postgresql":
        tx.execute(text("DROP FUNCTION rows_kept() CASCADE"))
    tx.execute(text("UPDATE alembic_version SET version_num = '0009'"))


def test_of_several_that_open_an_older_store_at_once_one_takes_the_steps(store_url: str) -> None:
    first_version(store_url)
    failed: list[BaseException] = []

    def open_() -> None:
        try:
            Store(store_url).close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=open_) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with Store(store_url) as store, store.view() as tx:
        assert audit.verify(tx).entries == len(TOWN.decisions)


def test_a_store_that_a_newer_version_wrote_is_refused(store_url: str) -> None:
    with Store(store_url) as store, store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreVersionError, match=f"expected a version up to {HEAD}, found '9999'"):
        Store(store_url)
