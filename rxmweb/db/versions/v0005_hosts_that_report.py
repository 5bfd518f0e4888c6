"""What hosts that report by themselves need."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns that may be NULL, and a table."""
    op.add_column("hosts", sa.Column("condition", sa.Text))
    op.add_column("hosts", sa.Column("clock", sa.Double))
    op.create_table(
        "reporters",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("principal", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("host", sa.String),
        sa.Column("address", sa.String, nullable=False, server_default=""),
        sa.Column("first", sa.Double, nullable=False),
        sa.Column("seen", sa.Double),
        sa.Column("asked", sa.Double),
        sa.Column("decided_by", sa.String),
    )
    op.create_index("reporters_by_state", "reporters", ["state"])
    op.create_index("reporters_by_host", "reporters", ["host"])
