"""Tables of service records, and of what is derived from them and from readings.

Shapes of the JSON columns:

``service_due.evidence``
    ``{"readings": [{"role", "signal", "stream", "seq"}], "service_records": [{"role", "id"}]}``
``service_due.limits``
    every limit of the item, the one that comes first at the front:
    ``[{"limit": "distance", "p10_on", "p50_on", "p90_on", "at": 59000000.0, "unit": "m"}]``. ``limit`` is a
    word of ``service_due.basis``; ``at`` is where it is reached, in ``unit``: ``m`` on the odometer, or
    ``d`` days since 1970; dates are ISO texts or null.
``service_due.wear``
    each position, those that are measured before the others, the first to reach its limit at the front:
    ``[{"signal", "worn", "limit_odometer_m", "per_1000_km", "measured": true}]``; ``worn`` is 0 new, 1 at the
    limit, or null where it is not measured, and ``per_1000_km`` what it grows by.
``vehicle_usage.pace``
    ``{"longer": [...], "early": [...], "late": [...]}``: one number for each knot of `signals.usage.pace`.
``due_calibrations.document``
    what else a full derivation has learned: ``{"battery_season": [[12 numbers], ...], "pace": {...},
    "usual_service": 31250.0}``; ``pace`` as `signals.usage.model.PaceModel` writes it, ``usual_service`` what
    one owner's services bring in a year, minor units.
``due_calibrations.coverage``
    ``[{"horizon_d": 90, "n": 412, "covered": 0.79, "low": 0.75, "high": 0.83, "early": 0.11, "late": 0.10,
    "wanted": 0.8}]``: of ``n`` days on which a distance was reached, foretold about ``horizon_d`` days before
    on later days than those that the intervals were made from, the share inside of P10 to P90 with its 95 %
    interval, and the shares before and after. Empty where too little has come.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from milepost_server.store.schema.columns import dealer_column, metadata, one_of, same_dealer
from milepost_server.store.schema.words import DueState, LifeCycle, RestsOn
from milepost_server.store.types import BigId, Json, UtcDateTime

service_records = Table(
    "service_records",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("item", String(64), nullable=False),
    Column("done_on", Date, nullable=False),
    Column("odometer_m", BigInteger),
    Column("source", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id", "item", "done_on"),
)

odometer_judgements = Table(  # what cleaning made of each odometer reading
    "odometer_judgements",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("stream_id", BigId, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("odometer_m", BigInteger, nullable=False),  # as reported
    Column("clean_m", Double),  # as used; null when rejected
    Column("segment", Integer, nullable=False),  # counts up at each exchange of the instrument cluster
    Column("kept", Boolean, nullable=False),
    Column("reason", String(32)),  # why it was rejected or corrected
    PrimaryKeyConstraint("stream_id", "seq"),
    same_dealer("stream_id", "streams"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id", "time_ms"),
)

service_due = Table(
    "service_due",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("item", String(64), nullable=False),
    Column("title", String(60), nullable=False),  # of the item, in the schedule that it was derived with
    Column("as_of", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("p10_on", Date),
    Column("p50_on", Date),
    Column("p90_on", Date),
    Column("p10_odometer_m", Double),
    Column("p50_odometer_m", Double),
    Column("p90_odometer_m", Double),
    Column("p_30d", Double),
    Column("p_90d", Double),
    Column("worn", Double),  # measured wear: 0 new, 1 at its limit
    Column("position", String(128)),  # the signal of the position whose wear decides
    Column("started_on", Date),  # what it is counted from; a new start forgets the states before it
    # Since when it needs attention, and is due or overdue; and when it last cleared by itself.
    Column("listed_since_on", Date),
    Column("due_since_on", Date),
    Column("cleared_on", Date),
    Column("life_cycle", String(16), nullable=False),
    Column("life_cycle_since", Date),
    Column("life_cycle_until", Date),  # the appointment, or the first day after a snooze
    Column("is_shown", Boolean, nullable=False),  # whether it stands on the list of what is to be done
    Column("reminders", Integer, nullable=False),  # how many this need has had
    Column("remind_on", Date),  # the day of the next one
    Column("limits", Json, nullable=False),
    Column("wear", Json, nullable=False),
    Column("basis", String(32), nullable=False),  # which limit comes first: distance, time, wear, ...
    Column("rests_on", String(16), nullable=False),
    Column("limit_text", Text, nullable=False),  # all limits, and what they are counted from
    Column("limit_short", Text, nullable=False),  # the one that decides, as a list says it
    Column("evidence", Json, nullable=False),  # readings and records that the numbers rest on
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("vehicle_id", "item", "as_of"),
    one_of("state", DueState),
    one_of("life_cycle", LifeCycle),
    one_of("rests_on", RestsOn),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of", "p50_on"),
)

usage_priors = Table(  # what a dealer's vehicles of one model do in a day, before one of them is looked at
    "usage_priors",
    metadata,
    dealer_column(root=True),
    Column("as_of", Date, nullable=False),
    Column("make", String(64), nullable=False),  # empty make and model: the whole fleet
    Column("model", String(64), nullable=False),
    Column("rate_m_per_d", Double, nullable=False),
    Column("between_cv", Double, nullable=False),
    Column("month_cv", Double, nullable=False),
    Column("vehicles", Integer, nullable=False),
    Column("config_version", String(64), nullable=False),
    PrimaryKeyConstraint("dealer_id", "as_of", "make", "model"),
)

vehicle_usage = Table(  # how far each vehicle goes in a day, and from where that is projected
    "vehicle_usage",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("rate_m_per_d", Double, nullable=False),
    Column("level_variance", Double, nullable=False),
    Column("month_variance", Double, nullable=False),
    Column("weight_months", Double, nullable=False),
    Column("last_time_ms", BigInteger),  # of the last odometer reading that was kept
    Column("last_odometer_m", Double),
    # What the fleet's past says of the time to a distance, see below; null: nothing beyond the rate.
    Column("pace", Json),
    # The last time that the car began to be used another way: since when, with the days between which that
    # came, how (the new rate over the old, null where it stood still before; and both rates), a word of
    # `signals.usage.regimes.Change`, whether so much that what lay before counts no more, and whether to ask
    # who drives now.
    Column("usage_changed_on", Date),
    Column("usage_changed_from_on", Date),
    Column("usage_changed_to_on", Date),
    Column("usage_change", Double),
    Column("usage_before_m_per_d", Double),
    Column("usage_after_m_per_d", Double),
    Column("usage_change_reason", String(32)),
    Column("usage_is_break", Boolean),
    Column("usage_asks_for_owner", Boolean),
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("vehicle_id", "as_of"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of"),
)

wear_priors = Table(  # how fast a part wears on a dealer's vehicles of one model
    "wear_priors",
    metadata,
    dealer_column(root=True),
    Column("as_of", Date, nullable=False),
    Column("item", String(64), nullable=False),
    Column("signal", String(128), nullable=False),  # the position
    Column("make", String(64), nullable=False),  # empty make and model: the whole fleet
    Column("model", String(64), nullable=False),
    Column("ratio", Double, nullable=False),  # times the rate that the schedule says
    Column("variance", Double, nullable=False),  # relative, between vehicles
    Column("parts", Integer, nullable=False),  # how many measured ones stand behind it
    Column("config_version", String(64), nullable=False),
    PrimaryKeyConstraint("dealer_id", "as_of", "item", "signal", "make", "model"),
)

due_calibrations = Table(  # how often past due intervals held, and what that makes of the next ones
    "due_calibrations",
    metadata,
    dealer_column(root=True),
    Column("as_of", Date, nullable=False),
    Column("document", Json, nullable=False),
    Column("coverage", Json, nullable=False),
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("dealer_id", "as_of"),
)

derived_days = Table(  # which lists were made on their day, and what was known then: a replay needs it
    "derived_days",
    metadata,
    dealer_column(root=True),
    Column("as_of", Date, nullable=False),
    Column("learned_at", UtcDateTime),  # the last full derivation; null: only some vehicles were derived
    Column("derived_at", UtcDateTime, nullable=False),  # the last derivation of any kind
    Column("config_version", String(64), nullable=False),
    PrimaryKeyConstraint("dealer_id", "as_of"),
)

dirty_vehicles = Table(  # whose derivations are older than their readings or records
    "dirty_vehicles",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, primary_key=True, autoincrement=False),
    # Counts up with each new reason, so that a derivation clears only what it has seen.
    Column("marks", BigInteger, nullable=False),
    Column("marked_at", UtcDateTime, nullable=False),
    same_dealer("vehicle_id", "vehicles"),
)
