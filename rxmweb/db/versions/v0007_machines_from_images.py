"""What machines from images need, and guests that have come from another host."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add columns that may be NULL."""
    for name in ("instance", "image", "owner", "unconfirmed"):
        op.add_column("domains", sa.Column(name, sa.Text))
    op.add_column("domains", sa.Column("until", sa.Double))
    op.add_column("actions", sa.Column("files", sa.Text))
