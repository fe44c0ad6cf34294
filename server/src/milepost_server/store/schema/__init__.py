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
from milepost_server.store.schema.derived import (
    dirty_vehicles,
    odometer_judgements,
    service_due,
    service_records,
    usage_priors,
    vehicle_usage,
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
from milepost_server.store.schema.people import dealers, owners, sessions, staff
from milepost_server.store.schema.words import (
    DueState,
    Powertrain,
    QuarantineState,
    RestsOn,
    Role,
)

GLOBAL_TABLES = frozenset({dealers.name})
TENANT_TABLES = tuple(table for table in metadata.sorted_tables if table.name not in GLOBAL_TABLES)

__all__ = [
    "GLOBAL_TABLES",
    "TENANT_TABLES",
    "DueState",
    "Powertrain",
    "QuarantineState",
    "RestsOn",
    "Role",
    "batches",
    "dealers",
    "device_configs",
    "device_states",
    "devices",
    "dirty_vehicles",
    "gaps",
    "installations",
    "metadata",
    "odometer_judgements",
    "owners",
    "ownerships",
    "quarantine",
    "readings",
    "refusals",
    "service_due",
    "service_records",
    "sessions",
    "staff",
    "stream_ranges",
    "streams",
    "usage_priors",
    "vehicle_usage",
    "vehicles",
    "vin_conflicts",
]
