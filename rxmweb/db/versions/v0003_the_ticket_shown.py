"""By what a session's ticket is known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a column that may be NULL: nobody knows it of sessions that are there already."""
    op.add_column("sessions", sa.Column("shown", sa.String))
