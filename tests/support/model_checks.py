"""A readiness model in force at the showroom, and its check as a full derivation leaves one."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from milepost_server.store import readiness_checks, readiness_models
from milepost_server.store.readiness_checks import CheckRow
from milepost_server.store.schema import Fitted
from support import showroom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_server.store.engine import Store

VERSION = "learned-0a1b2c3d4e5f"
SINCE = showroom.TODAY - dt.timedelta(days=200)
CAME = {
    "rows": 1_204,
    "events": 38,
    "expected": 61.3,
    "low": 27.9,
    "high": 51.6,
    "intercept": [-0.52, -0.9, -0.14],
    "slope": [0.94, 0.71, 1.17],
}
DRIFT = [
    {
        "column": "age_months",
        "index": 0.31,
        "chance": 0.04,
        "move": "shifted",
        "bin": "96 to under 144 months",
        "then": 0.12,
        "now": 0.27,
    },
    {
        "column": "months_to_contract_end",
        "index": 0.02,
        "chance": 0.05,
        "move": "stable",
        "bin": "no contract is known",
        "then": 0.7,
        "now": 0.74,
    },
    {
        "column": "points",
        "index": 0.14,
        "chance": 0.09,
        "move": "shifting",
        "bin": "0 to 5 points",
        "then": 0.1,
        "now": 0.2,
    },
]


async def put_in_force(store: Store, dealer_id: int) -> None:
    """A model of the dealer's own is in force ``SINCE`` then."""
    async with store.write() as connection:
        await readiness_models.add(
            connection,
            dealer_id,
            version=VERSION,
            document={},
            fitted=Fitted.LEARNED,
            fitted_on=SINCE - dt.timedelta(days=1),
            in_force_on=SINCE,
            metrics={"n": 24_000, "events": 410},
            now=showroom.NOW,
        )


async def put_check(
    store: Store,
    dealer_id: int,
    *,
    came: Mapping[str, Any] = CAME,
    drift: Sequence[Mapping[str, Any]] = DRIFT,
) -> None:
    """The model was checked today."""
    row = CheckRow(
        as_of=showroom.TODAY,
        model_version=VERSION,
        vehicles=311,
        foretold_on=SINCE,
        drift=[dict(one) for one in drift],
        came=dict(came),
        config_version="x",
        derived_at=showroom.NOW,
    )
    async with store.write() as connection:
        await readiness_checks.put(connection, dealer_id, [row])
