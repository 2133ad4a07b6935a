"""Facts policy decides on: who has which part in whose case, what is sealed, who is whose relative, which orders run.

Case numbers name papers, not people; everything else is an opaque id. Nothing here says what a person did.
"""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.tables.base import access_event, metadata

# One decision may concern several people: a row is one person's case under that number.
case_register = sa.Table(
    "case_register",
    metadata,
    sa.Column("subject_id", sa.String(32), primary_key=True),
    sa.Column("case_no", sa.String(100), primary_key=True),
    sa.Column("state", sa.String(32), nullable=False),  # the schema's CaseState
    sa.Column("seal", sa.String(32), nullable=False),  # NONE | SEALED_JUVENILE | SEALED_PUBLIC_ORDER
    sa.Column("minor_at_offence", sa.Boolean, nullable=False),
    sa.Column("execution_admin", sa.String(12), nullable=False),  # GB/T 2260
    sa.Column("offence_in_progress", sa.Boolean, nullable=False),  # opens location to the police as OUT_OF_CONTACT does
    sa.Column("visible_from_us", sa.BigInteger),  # accesses before then are shown to the person from then on
    sa.Column("changed_at_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("ix_case_register_case", case_register.c.case_no)

case_party = sa.Table(
    "case_party",
    metadata,
    sa.Column("case_no", sa.String(100), primary_key=True),
    sa.Column("org_id", sa.String(64), primary_key=True),
    sa.Column("part", sa.String(16), primary_key=True),  # SUPERVISING | DECIDING | PROSECUTING | POLICING | IMPRISONING
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("to_us", sa.BigInteger),
    sqlite_with_rowid=False,
)

case_assignment = sa.Table(
    "case_assignment",
    metadata,
    sa.Column("case_no", sa.String(100), primary_key=True),
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("to_us", sa.BigInteger),
    sqlite_with_rowid=False,
)

relationship = sa.Table(
    "relationship",
    metadata,
    sa.Column("subject_id", sa.String(32), primary_key=True),
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # SELF | RELATIVE | FORMER_SPOUSE
    sa.Column("declared_by", sa.String(64), nullable=False),  # whoever declared or found it
    sa.Column("declared_at_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

subject_seal = sa.Table(
    "subject_seal",  # a person as a whole: everything about them must look unknown
    metadata,
    sa.Column("subject_id", sa.String(32), primary_key=True),
    sa.Column("seal", sa.String(32), nullable=False),
    sa.Column("sealed_at_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

unseal_order = sa.Table(
    "unseal_order",
    metadata,
    sa.Column("order_no", sa.String(100), primary_key=True),
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("case_no", sa.String(100)),  # null: the person's own seal and every case
    sa.Column("org_id", sa.String(64), nullable=False),  # for whom it opens
    sa.Column("approved_by", sa.String(64), nullable=False),
    sa.Column("second_approved_by", sa.String(64), nullable=False),
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.CheckConstraint("approved_by <> second_approved_by", name="two_approvers"),
)
sa.Index("ix_unseal_order_subject", unseal_order.c.subject_id, unseal_order.c.org_id)

monitoring_order = sa.Table(
    "monitoring_order",
    metadata,
    sa.Column("order_no", sa.String(100), primary_key=True),
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("legal_ground", sa.Integer, nullable=False),  # 1-5, Community Corrections Law Art. 29
    sa.Column("approved_by", sa.String(64), nullable=False),
    sa.Column("from_us", sa.BigInteger, nullable=False),
    sa.Column("to_us", sa.BigInteger, nullable=False),  # at most three months on
    sa.Column("lifted_at_us", sa.BigInteger),
    sa.CheckConstraint("legal_ground BETWEEN 1 AND 5", name="legal_ground"),
)
sa.Index("ix_monitoring_order_subject", monitoring_order.c.subject_id)

break_glass = sa.Table(
    "break_glass",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("org_id", sa.String(64), nullable=False),
    sa.Column("subject_id", sa.String(32), nullable=False),
    sa.Column("case_no", sa.String(100), nullable=False),
    sa.Column("reason_code", sa.String(32), nullable=False),
    sa.Column("reason_ct", sa.LargeBinary, nullable=False),  # the officer's own words may name people
    sa.Column("key_id", sa.String(32), sa.ForeignKey("data_key.key_id"), nullable=False),
    sa.Column("alg_id", sa.String(16), nullable=False),
    sa.Column("items", sa.Text, nullable=False),  # JSON array of "noun.field" and "noun"
    sa.Column("review", sa.String(8), nullable=False),  # ONLINE: a second approver first | AFTER: reviewed within 24 h
    sa.Column("opened_at_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("approved_by", sa.String(64)),
    sa.Column("approved_at_us", sa.BigInteger),
    sa.Column("due_at_us", sa.BigInteger, nullable=False),  # of the review
    sa.Column("alert_id", sa.String(36), nullable=False),
    sa.Column("reviewed_by", sa.String(64)),
    sa.Column("reviewed_at_us", sa.BigInteger),
    sa.Column("outcome", sa.String(16)),  # JUSTIFIED | UNJUSTIFIED
    sa.Column("overdue_at_us", sa.BigInteger),  # when the missing review itself became an alert
)
sa.Index("ix_break_glass_held", break_glass.c.subject_id, break_glass.c.user_id)
sa.Index("ix_break_glass_due", break_glass.c.due_at_us)

# Which access events have become alerts: one row, one alert, whichever replica comes first.
alarm_seen = sa.Table(
    "alarm_seen",
    metadata,
    sa.Column("event_id", sa.String(36), primary_key=True),
    sqlite_with_rowid=False,
)
_inner = access_event.c.inner_rule_ids != sa.literal_column("'[]'")
sa.Index("ix_access_event_inner", access_event.c.id, sqlite_where=_inner, postgresql_where=_inner)
