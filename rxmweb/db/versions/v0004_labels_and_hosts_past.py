"""What labels of machines and plots of hosts need."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a column that may be NULL, and tables."""
    op.add_column("domains", sa.Column("labels", sa.Text))
    op.create_table(
        "labels",
        sa.Column("host", sa.String, nullable=False),
        sa.Column("uuid", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("key", "host", "uuid"),
        sa.ForeignKeyConstraint(["host", "uuid"], ["domains.host", "domains.uuid"], ondelete="CASCADE"),
    )
    op.create_index("labels_by_domain", "labels", ["host", "uuid"])
    op.create_table(
        "host_samples",
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("load", sa.Double),
        sa.Column("memory", sa.BigInteger),
        sa.Column("memory_free", sa.BigInteger),
    )
    op.create_index("host_samples_by_host", "host_samples", ["host", "at"])
    op.create_index("host_samples_by_age", "host_samples", ["at"])
