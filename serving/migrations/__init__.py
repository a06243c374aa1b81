"""The store's tables from version to version: an empty store is made through these steps, an older one is brought up to date by them.

Alembic runs them, offline and from the installed package. A change of :mod:`serving.schema` is a new step beside the others; a test
compares where the steps lead with what the schema says.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, inspect, text

HEAD = "0011"
"""The version that this code works with."""

FOLDER = Path(__file__).parent

_BEFORE_STEPS = "0001"
"""What a store without a version is that has tables already: the first version noted none."""

_ONE_AT_A_TIME = Lock()
_LOCK = 7_310_002


class StoreVersionError(RuntimeError):
    """A store that a newer Touchstone has written."""


def version(tx: Connection) -> str | None:
    """Return which version a store has, ``None`` if it has no tables yet."""
    tables = set(inspect(tx).get_table_names())
    if "alembic_version" in tables:
        return str(tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() or "") or None
    return _BEFORE_STEPS if "decisions" in tables else None


def upgrade(tx: Connection) -> None:
    """Bring a store to :data:`HEAD` inside the caller's transaction; of several processes one does it and the others wait.

    Parameters
    ----------
    tx
        A write transaction.

    Raises
    ------
    StoreVersionError
        If the store's version is not known here.

    Examples
    --------
    >>> from serving.store import Store
    >>> with Store("sqlite://") as store, store.view() as tx:
    ...     version(tx) == HEAD
    True
    """
    if tx.dialect.name == "postgresql":
        tx.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    found = version(tx)
    if found == HEAD:
        return
    with _ONE_AT_A_TIME:  # Alembic keeps what it works on in a global
        _run(tx, found)


def _run(tx: Connection, found: str | None) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory
    from alembic.script.revision import ResolutionError
    from alembic.util import CommandError

    script = ScriptDirectory(str(FOLDER))

    def steps(held: Any, _: MigrationContext) -> Any:
        return script._upgrade_revs(HEAD, held)

    context = MigrationContext.configure(tx, opts={"fn": steps})
    try:
        if found is not None and not context.get_current_heads():
            context.stamp(script, found)
        with Operations.context(context):
            context.run_migrations()
    except (ResolutionError, CommandError) as error:
        raise StoreVersionError(f"store: expected a version up to {HEAD}, found {found!r}; a newer Touchstone has written it") from error
