"""All tables of the server.

Every row about people, vehicles or devices belongs to a dealer. Foreign keys between such tables include
``dealer_id``, so that the database itself refuses a row that crosses from one dealer to another.
"""

from __future__ import annotations

from milepost_server.store.schema.arrivals import (
    batches,
    gaps,
    quarantine,
    readings,
    refusals,
    stream_ranges,
    streams,
)
from milepost_server.store.schema.columns import metadata
from milepost_server.store.schema.customers import contracts, outcomes
from milepost_server.store.schema.decisions import dealer_files, item_actions, reading_overrules
from milepost_server.store.schema.derived import (
    derived_days,
    dirty_vehicles,
    due_calibrations,
    odometer_judgements,
    service_due,
    service_records,
    usage_priors,
    vehicle_usage,
    wear_priors,
)
from milepost_server.store.schema.fleet import (
    device_configs,
    device_states,
    devices,
    installations,
    ownerships,
    vehicles,
    vin_conflicts,
)
from milepost_server.store.schema.health import vehicle_faults, vehicle_health
from milepost_server.store.schema.people import dealers, owners, sessions, staff
from milepost_server.store.schema.scores import (
    owner_signals,
    readiness,
    readiness_checks,
    readiness_foretold,
    readiness_models,
)
from milepost_server.store.schema.words import (
    BatteryMeasure,
    BatteryWord,
    ContractKind,
    DealerFileKind,
    DueState,
    Fitted,
    ItemActionKind,
    LifeCycle,
    OutcomeKind,
    PackWord,
    Powertrain,
    QuarantineState,
    RestsOn,
    Role,
    Urgency,
)

GLOBAL_TABLES = frozenset({dealers.name})
TENANT_TABLES = tuple(table for table in metadata.sorted_tables if table.name not in GLOBAL_TABLES)

__all__ = [
    "GLOBAL_TABLES",
    "TENANT_TABLES",
    "BatteryMeasure",
    "BatteryWord",
    "ContractKind",
    "DealerFileKind",
    "DueState",
    "Fitted",
    "ItemActionKind",
    "LifeCycle",
    "OutcomeKind",
    "PackWord",
    "Powertrain",
    "QuarantineState",
    "RestsOn",
    "Role",
    "Urgency",
    "batches",
    "contracts",
    "dealer_files",
    "dealers",
    "derived_days",
    "device_configs",
    "device_states",
    "devices",
    "dirty_vehicles",
    "due_calibrations",
    "gaps",
    "installations",
    "item_actions",
    "metadata",
    "odometer_judgements",
    "outcomes",
    "owner_signals",
    "owners",
    "ownerships",
    "quarantine",
    "readiness",
    "readiness_checks",
    "readiness_foretold",
    "readiness_models",
    "reading_overrules",
    "readings",
    "refusals",
    "service_due",
    "service_records",
    "sessions",
    "staff",
    "stream_ranges",
    "streams",
    "usage_priors",
    "vehicle_faults",
    "vehicle_health",
    "vehicle_usage",
    "vehicles",
    "vin_conflicts",
    "wear_priors",
]
