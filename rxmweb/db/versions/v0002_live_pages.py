"""What live pages, one session for a ticket, rights, saved filters and the hosts' room need."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns that may be NULL, and tables."""
    for column in (
        sa.Column("memory", sa.BigInteger),
        sa.Column("memory_free", sa.BigInteger),
        sa.Column("cpus", sa.Integer),
        sa.Column("load", sa.Double),
        sa.Column("measured", sa.Double),
    ):
        op.add_column("hosts", column)
    op.add_column("domains", sa.Column("sort_name", sa.Text))
    op.create_index("domains_by_sort_name", "domains", ["sort_name"])
    op.add_column("sessions", sa.Column("ends", sa.Double))
    op.add_column("sessions", sa.Column("nonce", sa.String))
    op.create_table(
        "rights",
        sa.Column("session", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("verbs", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session", "host"),
        sa.ForeignKeyConstraint(["session"], ["sessions.token"], ondelete="CASCADE"),
    )
    op.create_table(
        "filters",
        sa.Column("principal", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("usual", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("principal", "name"),
    )
    op.create_table(
        "versions",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
