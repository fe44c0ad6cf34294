"""Tables of owners: who is ready to replace a car, why, by which model, and where they stand in the lists.

Shapes of the JSON columns:

``readiness.reasons``
    the reasons whose points add up to ``score``, exactly, the largest first:
    ``[{"key": "months_to_contract_end", "points": 21, "words": "The lease ends in 4 months",
    "value": 4.2, "unit": "months", "change": "A new contract or an extension would take these points away",
    "evidence": {"contracts": [3], "readings": [{"stream", "seq"}], "service_records": [17], "items": [],
    "faults": []}}]``. ``key`` is a column of `signals.readiness.features`, two of them joined by ``+`` for a
    pair, or ``base``; ``value`` is null where it is not known; lists of the evidence that are empty may lack.
``readiness.subscription``
    how the dealer's plans fit the coming year, ``{"currency", "year_m": [p10, p50, p90], "now": {"contract",
    "expected_per_month"}, "plans": [{"plan", "allowance_m", "over_m": [p10, p50, p90], "within_odds",
    "cheapest_odds", "expected_per_month", "per_month": [p10, p50, p90], "against_now_per_month"}]}``, the
    cheapest first; money in minor units with all kilometres paid, ``over_m`` negative where kilometres are
    left. ``now`` is the running lease or subscription, null without one; what it costs is null where that
    is not known. ``{}`` where no plan holds, or nothing is known of the vehicle's own use.
``readiness_models.document``
    what `signals.readiness.model.Scorecard.to_document` makes.
``readiness_models.metrics``
    ``{"n", "events", "auc": [value, low, high], "lift_10": [...], "brier": [...], "baselines": {"lease_end":
    {"lift_10": [...]}, ...}, "calibration": [{"p", "observed", "n"}],
    "calibration_held_out": true}``; keys that do not apply are missing. AUC and lifts are of owners that the
    model had not seen, replaced within 90 days or not, all of the same rows; the calibration too if it is
    held out, and of those that the model learned from if not.
``readiness_checks.drift``
    each column of the model, and ``points`` for the score:
    ``[{"column": "age_months", "index": 0.31, "chance": 0.04, "move": "shifted", "bin": "96 to under 144
    months", "then": 0.12, "now": 0.27}]``: its population stability index, what chance alone does not exceed,
    a word of `signals.readiness.drift.Move`, and the bin that says the most of it with its shares where the
    model was learned and on the day. Empty for a model that did not score that day, or was not learned.
``readiness_checks.came``
    ``{"rows", "events", "expected", "low", "high", "intercept": [value, low, high], "slope": [...]}``: see
    `signals.readiness.check.CameTrue`; both figures are null where too few outcomes have come.
``owner_signals.value``
    ``{"currency", "ledger": {"sale": 3150000, "service": 214000}, "expected": [p10, p50, p90],
    "until_on": "2031-11-20"}``, money in minor units; ``{}`` where nothing is known.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

from milepost_server.store.schema.columns import dealer_column, metadata, one_of, same_dealer
from milepost_server.store.schema.words import DueState, Fitted, Urgency
from milepost_server.store.types import BigId, Json, UtcDateTime

readiness = Table(  # of each vehicle that an owner has on the day
    "readiness",
    metadata,
    dealer_column(),
    Column("owner_id", BigId, nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("score", Integer, nullable=False),  # 0 to 100
    Column("p_90d", Double, nullable=False),  # calibrated probability that it is replaced by then
    Column("p_180d", Double, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("subscription", Json, nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("is_prior", Boolean, nullable=False),  # points from published figures, not learned
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("owner_id", "vehicle_id", "as_of"),
    same_dealer("owner_id", "owners"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of", "score"),
    Index(None, "vehicle_id", "as_of"),
)

readiness_models = Table(
    "readiness_models",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("dealer_id", BigId, ForeignKey("dealers.id")),  # null: fitted on all dealers together
    Column("version", String(64), nullable=False),
    Column("document", Json, nullable=False),
    Column("fitted", String(16), nullable=False),
    Column("fitted_on", Date, nullable=False),  # outcomes up to here were looked at
    Column("in_force_on", Date, nullable=False),  # the first day that it scores
    Column("metrics", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    one_of("fitted", Fitted),
    UniqueConstraint("dealer_id", "version"),
    Index(None, "dealer_id", "in_force_on"),
)

readiness_foretold = Table(  # what was foretold of each car on a few days, to be held against what came
    "readiness_foretold",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("owner_id", BigId, nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("p_90d", Double, nullable=False),
    PrimaryKeyConstraint("vehicle_id", "as_of"),
    same_dealer("owner_id", "owners"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of", "vehicle_id"),
)

readiness_checks = Table(  # whether a model still fits, as of a day
    "readiness_checks",
    metadata,
    dealer_column(root=True),
    Column("as_of", Date, nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("vehicles", Integer, nullable=False),  # how many it scored on that day
    Column("foretold_on", Date),  # the first day of which it is noted what it foretold
    Column("drift", Json, nullable=False),
    Column("came", Json, nullable=False),
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("dealer_id", "as_of", "model_version"),
)

owner_signals = Table(  # an owner's vehicles of the day taken together, and the keys of the two lists
    "owner_signals",
    metadata,
    dealer_column(),
    Column("owner_id", BigId, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("vehicles", Integer, nullable=False),
    # For the service list: the item, or the fault, that needs attention first.
    Column("service_vehicle_id", BigId),
    Column("service_item", String(64)),  # null where a fault comes before every item
    Column("service_title", String(60)),  # of the item
    Column("service_fault", String(16)),
    Column("service_state", String(16), nullable=False),
    Column("service_urgency", String(2)),  # of the worst active fault
    Column("service_key", Double, nullable=False),  # the list is in rising order of it
    # For the sales list: the vehicle that is likeliest to be replaced; null where none could be scored.
    Column("sales_vehicle_id", BigId),
    Column("score", Integer),
    Column("p_90d", Double),  # that any of the owner's vehicles is replaced by then
    Column("p_180d", Double),
    Column("sales_key", Double, nullable=False),  # the list is in rising order of it
    Column("value", Json, nullable=False),
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("owner_id", "as_of"),
    one_of("service_state", DueState),
    one_of("service_urgency", Urgency),
    same_dealer("owner_id", "owners"),
    same_dealer("service_vehicle_id", "vehicles"),
    same_dealer("sales_vehicle_id", "vehicles", "fk_owner_signals_sales_vehicle_id_vehicles"),
    Index(None, "dealer_id", "as_of", "service_key"),
    Index(None, "dealer_id", "as_of", "sales_key"),
)
