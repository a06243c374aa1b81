"""The store as the first version made it: decisions, queue, proceedings, ledger, claims received."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Take the step."""
    _tables_1()
    _tables_2()
    _tables_3()
    _tables_4()
    _tables_5()


def _tables_1() -> None:
    op.create_table(
        "answers",
        sa.Column("answer_id", sa.String(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("answer_id"),
    )
    op.create_index("answers_claim", "answers", ["claim_id"], unique=False)
    op.create_table(
        "claims",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("seller_id", sa.String(), nullable=False),
        sa.Column("product_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("incident_at", sa.BigInteger(), nullable=False),
        sa.Column("filed_at", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("narrative", sa.String(), nullable=False),
        sa.Column("photo_count", sa.BigInteger(), nullable=False),
        sa.Column("photo_hash", sa.String(), nullable=True),
        sa.Column("has_receipt", sa.Boolean(), nullable=False),
        sa.Column("has_dated_photo", sa.Boolean(), nullable=False),
        sa.Column("has_medical_record", sa.Boolean(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("address_id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=False),
        sa.Column("phone_id", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("claim_id"),
    )


def _tables_2() -> None:
    op.create_table(
        "decisions",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("p_valid", sa.Double(), nullable=False),
        sa.Column("p_unsubstantiated", sa.Double(), nullable=False),
        sa.Column("p_abusive", sa.Double(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("automatic_action", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("automatic_cost_cents", sa.BigInteger(), nullable=False),
        sa.Column("review_value_cents", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.String(), nullable=False),
        sa.Column("claimant_reason", sa.String(), nullable=False),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("rules", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("claim_id"),
    )
    op.create_table(
        "history_pages",
        sa.Column("log_key", sa.LargeBinary(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_key", "first_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _tables_3() -> None:
    op.create_table(
        "resolutions",
        sa.Column("resolution_id", sa.String(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("seller_id", sa.String(), nullable=False),
        sa.Column("product_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("paid_cents", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resolution_id"),
    )
    op.create_index("resolutions_known", "resolutions", ["known_at"], unique=False)
    op.create_table(
        "cases",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("leased_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["decisions.claim_id"],
        ),
        sa.PrimaryKeyConstraint("claim_id"),
    )
    op.create_index("cases_next", "cases", ["tier", "state", "priority"], unique=False)


def _tables_4() -> None:
    op.create_table(
        "proceedings",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("seller_id", sa.String(), nullable=False),
        sa.Column("product_id", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("paid_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("found", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["decisions.claim_id"],
        ),
        sa.PrimaryKeyConstraint("claim_id"),
    )
    op.create_index(op.f("ix_proceedings_state"), "proceedings", ["state"], unique=False)
    op.create_table(
        "case_events",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_state", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("to_state", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["proceedings.claim_id"],
        ),
        sa.PrimaryKeyConstraint("claim_id", "seq"),
    )


def _tables_5() -> None:
    op.create_table(
        "expert_answers",
        sa.Column("answer_id", sa.String(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expert", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("fee_cents", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["cases.claim_id"],
        ),
        sa.PrimaryKeyConstraint("answer_id"),
        sa.UniqueConstraint("claim_id", "token"),
    )
    op.create_table(
        "postings",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["proceedings.claim_id"],
        ),
        sa.PrimaryKeyConstraint("claim_id", "step"),
    )
    op.create_table(
        "receipts",
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("disposition", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["proceedings.claim_id"],
        ),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("receipts_claim", "receipts", ["claim_id"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id", "step"],
            ["postings.claim_id", "postings.step"],
        ),
        sa.PrimaryKeyConstraint("claim_id", "step", "account"),
    )
