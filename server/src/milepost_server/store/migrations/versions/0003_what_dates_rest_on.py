"""What an item's dates rest on, and its limit in short."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Rows of earlier days are not derived again: their words stay as they were, and what they rest on is told
# from them as far as it can be.
FILL = """
UPDATE service_due SET limit_short = limit_text, rests_on = CASE
    WHEN basis = 'none' THEN 'nothing'
    WHEN basis = 'wear' AND worn IS NOT NULL THEN 'measured'
    WHEN basis = 'wear' THEN 'usual'
    WHEN limit_text LIKE '%no service on record%' THEN 'registration'
    ELSE 'record' END
"""


def upgrade() -> None:
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rests_on", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("limit_short", sa.Text(), nullable=True))
    op.execute(FILL)
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.alter_column("rests_on", existing_type=sa.String(length=16), nullable=False)
        batch_op.alter_column("limit_short", existing_type=sa.Text(), nullable=False)
        batch_op.create_check_constraint(
            op.f("ck_service_due_rests_on"),
            "rests_on IN ('measured', 'record', 'registration', 'usual', 'nothing')",
        )


def downgrade() -> None:
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_service_due_rests_on"), type_="check")
        batch_op.drop_column("limit_short")
        batch_op.drop_column("rests_on")
