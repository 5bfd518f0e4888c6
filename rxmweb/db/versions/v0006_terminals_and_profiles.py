"""What terminals, and profiles with their clients, need."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add columns that may be NULL, and tables."""
    for name in ("terminal", "given", "labs", "administrator", "origin"):
        op.add_column("domains", sa.Column(name, sa.String))
    for name in ("profile", "discard"):
        op.add_column("domains", sa.Column(name, sa.Boolean))
    op.create_table(
        "seats",
        sa.Column("terminal", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("proved", sa.Boolean, nullable=False),
        sa.Column("whence", sa.String, nullable=False),
        sa.Column("working", sa.Double, nullable=False),
        sa.Column("problem", sa.Text, nullable=False, server_default=""),
        sa.Column("host", sa.String),
        sa.Column("uuid", sa.String),
        sa.Column("machine", sa.String),
        sa.Column("since", sa.Double),
        sa.Column("address", sa.String),
        sa.Column("screen", sa.String),
        sa.Column("token", sa.String),
        sa.Column("csrf", sa.String),
        sa.Column("expires", sa.Double),
        sa.Column("seen", sa.Double),
    )
    op.create_table(
        "profile_sizes",
        sa.Column("host", sa.String, nullable=False),
        sa.Column("uuid", sa.String, nullable=False),
        sa.Column("capacity", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("host", "uuid"),
        sa.ForeignKeyConstraint(["host"], ["hosts.name"], ondelete="CASCADE"),
    )
    op.create_index("domains_by_profile", "domains", ["profile"])
    op.create_index("domains_by_origin", "domains", ["origin"])
    op.create_index("seats_by_token", "seats", ["token"])
    op.create_index("seats_by_machine", "seats", ["host", "uuid"])
