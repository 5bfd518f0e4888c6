"""Actions that went wrong in the last hour, which each page counts: found by when they ended."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the index."""
    op.create_index("actions_by_end", "actions", ["state", "ended"])
