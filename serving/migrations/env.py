"""For Alembic's own command line: ``alembic -c serving/migrations/alembic.ini -x url=sqlite:///store.db current``."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from serving.schema import METADATA

url = context.get_x_argument(as_dictionary=True).get("url", "sqlite://")

if context.is_offline_mode():
    context.configure(url=url, target_metadata=METADATA, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url).begin() as connection:
        context.configure(connection=connection, target_metadata=METADATA)
        context.run_migrations()
