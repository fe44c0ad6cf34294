"""Draws a scenario from a seed: a configuration, and faults of a few kinds, others in each history.

Each history enables some groups of faults only (swarm testing): many kinds at once hide each other, and some
mistakes need a long spell of one kind alone.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_simulator.world.broker import Manners
from milepost_simulator.world.car import Script
from milepost_simulator.world.ingest import Pace
from milepost_simulator.world.mount import Call
from milepost_simulator.world.scenario import Fault, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DURATION_S: Final = (20.0, 40.0, 80.0, 200.0)
KIBIBYTE: Final = 1024


class Group(NamedTuple):
    """Kinds of faults that belong together: how likely a history has them, and at most how many of them."""

    share: float
    most: int
    kinds: Sequence[str]


GROUPS: Final[Sequence[Group]] = (
    Group(0.35, 6, ("kill",)),
    Group(0.35, 6, ("power_cut",)),
    Group(0.20, 3, ("restart", "reconfigure")),
    Group(0.20, 2, ("car_off",)),
    Group(0.25, 5, ("cut", "kick")),
    Group(0.25, 3, ("outage", "slow")),
    Group(0.25, 2, ("silence",)),
    Group(0.20, 3, ("broker_crash", "broker_forgets")),
    Group(0.25, 3, ("server_crash",)),
    Group(0.15, 2, ("restore",)),
    Group(0.15, 2, ("disk_full", "inodes_full", "read_only")),
    Group(0.15, 3, ("disk_error",)),
    Group(0.06, 2, ("rot", "truncate")),
    Group(0.05, 1, ("vanish", "replace")),
    Group(0.04, 1, ("old_copy",)),
    Group(0.25, 3, ("clock_set", "clock_1970", "clock_sync")),
)

PARKING_SHARE: Final = 0.3
"""Histories in which the agent spares the battery of a car that is parked again and again."""
DESIRING_SHARE: Final = 0.3
"""Histories in which the server desires another configuration, and sometimes one that cannot be."""

HOUR_MS: Final = 3_600_000.0
CLOCK_ERRORS_MS: Final = (-HOUR_MS, HOUR_MS, 5 * 365 * 24 * HOUR_MS, 60_000.0, -500.0)


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    random = Random(seed)
    is_small = random.random() < 0.12
    duration_s = random.choice(DURATION_S[:2] if is_small else DURATION_S)
    enabled = [group for group in GROUPS if random.random() < group.share]
    times = [
        (random.uniform(0.0, duration_s), random.choice(group.kinds))
        for group in enabled
        for _ in range(random.randint(1, group.most))
    ]
    if is_small:
        times.append((random.uniform(0.0, 5.0), "outage"))  # else it seldom gets full
    faults = [fault for at_s, kind in times for fault in _faults(random, at_s, kind, duration_s)]
    settings = _settings(random)
    parking = Random(f"{seed}/parking")
    if parking.random() < PARKING_SHARE:
        settings["power"] = _power(parking)
        faults += _parking(parking, duration_s)
    desiring = Random(f"{seed}/desiring")
    if desiring.random() < DESIRING_SHARE:
        faults += _desiring(desiring, duration_s)
    return Scenario(
        seed=seed,
        duration_s=duration_s,
        settings=settings,
        buffer_bytes_max=random.choice((580, 640)) * KIBIBYTE if is_small else 0,
        script=_script(random, is_small=is_small),
        pace=_pace(random),
        manners=_manners(random),
        network_delay_s=random.choice(((0.005, 0.02), (0.02, 0.2), (0.1, 1.0))),
        has_rtc=random.random() < 0.7,
        is_synced=random.random() < 0.7,
        faults=tuple(sorted(faults, key=lambda fault: fault.at_s)),
    )


def _settings(random: Random) -> dict[str, dict[str, Any]]:
    pick = random.choice
    return {
        "buffer": {
            "commit_interval_s": pick((0.5, 2.0, 5.0, 10.0)),
            "commit_samples_max": pick((5, 50, 1000)),
            "memory_samples_max": pick((100, 1000)),
        },
        "uplink": {
            "keepalive_s": pick((5, 15, 30)),
            "reconnect_s_min": pick((0.2, 1.0)),
            "reconnect_s_max": pick((2.0, 20.0)),
            "window_batches": pick((1, 4, 10)),
            "unreceipted_batches_max": pick((1, 4, 16)),
            "unreceipted_bytes_max": pick((4 * KIBIBYTE, 128 * KIBIBYTE)),
            "batch_samples_min": pick((1, 20, 300)),
            "batch_wait_s": pick((0.0, 3.0, 15.0)),
            "receipt_timeout_s": pick((3.0, 10.0, 30.0)),
            "resend_s_max": pick((20.0, 60.0)),
        },
    }


def _power(random: Random) -> dict[str, Any]:
    pick = random.choice
    return {
        "standing_s_max": pick((10.0, 30.0)),
        "settle_s": pick((0.0, 5.0)),
        "confirm_s": pick((0.0, 5.0)),
        "rest_look_s": pick((0.5, 2.0)),
        "duty_interval_s": pick((2.0, 5.0)),
        "sleep_look_s": pick((2.0, 5.0)),
        "event_s_max": pick((5.0, 30.0)),
        "rest_link": pick(("close", "close", "keep")),
    }


def _parking(random: Random, duration_s: float) -> list[Fault]:
    """The car is off now and then, and its battery is low, empty, or all but dead."""
    times = sorted(random.uniform(0.0, duration_s) for _ in range(2 * random.randint(1, 3)))
    kinds = ("car_off", "battery")
    args = (_for(10.0, 40.0), lambda random: {"rest_v": random.choice((12.7, 12.0, 11.5, 10.5))})
    return [
        Fault(round(at_s, 3), kinds[place % 2], args[place % 2](random)) for place, at_s in enumerate(times)
    ]


def _desiring(random: Random, duration_s: float) -> list[Fault]:
    choices: tuple[Mapping[str, Mapping[str, Any]] | None, ...] = (
        {"buffer": {"commit_interval_s": random.choice((1.0, 3.0))}, "log": {"level": "debug"}},
        {"uplink": {"batch_wait_s": random.choice((0.5, 5.0))}},
        {"uplink": {"bytes_per_day_max": 1_000_000_000, "metered": random.random() < 0.5}},
        {},
        {"buffer": {"commit_interval_s": -1.0}},
        {"uplink": {"host": "elsewhere"}, "log": {"level": "debug"}},
        None,
    )
    return [
        Fault(round(random.uniform(0.0, duration_s), 3), "desire", {"settings": random.choice(choices)})
        for _ in range(random.randint(1, 4))
    ]


def _script(random: Random, *, is_small: bool) -> Script:
    weights = [random.choice((0, 1, 1, 3)) for _ in range(6)]
    weights[random.randrange(6)] = 3
    if is_small:
        # Texts of noise fill a buffer soonest.
        weights[1] = weights[4] = 3
        return Script(random.choice((0.5, 1.0)), 20, 240, tuple(weights))
    return Script(
        interval_s=random.choice((1.0, 2.0, 5.0)),
        burst=random.choice((1, 2, 4)),
        text_characters=random.choice((4, 60)),
        weights=tuple(weights),
    )


def _pace(random: Random) -> Pace:
    return Pace(
        workers=random.choice((1, 1, 2, 4)),
        commit_s=random.choice(((0.001, 0.01), (0.01, 0.3), (0.2, 1.5))),
        receipt_s=random.choice(((0.0, 0.005), (0.0, 0.5), (0.5, 3.0))),
        group_max=random.choice((1, 4, 16)),
    )


def _manners(random: Random) -> Manners:
    return Manners(
        delay_s=random.choice(((0.001, 0.01), (0.01, 0.5), (0.1, 2.0))),
        doubles=random.choice((0.0, 0.0, 0.05, 0.3)),
        loses_receipts=random.choice((0.0, 0.0, 0.1, 0.5)),
    )


def _faults(random: Random, at_s: float, kind: str, duration_s: float) -> list[Fault]:
    """A fault with its arguments, and what has to happen before it."""
    at_s = round(at_s, 3)
    fault = Fault(at_s, kind, _ARGS.get(kind, _nothing)(random))
    if kind == "restore":
        backups = [random.uniform(0.0, at_s) for _ in range(random.randint(0, 2))]
        return [*(Fault(round(backup_s, 3), "back_up") for backup_s in backups), fault]
    if kind == "old_copy":
        return [Fault(round(random.uniform(0.0, min(at_s, duration_s)), 3), "keep_copy"), fault]
    return [fault]


def _nothing(_: Random) -> dict[str, Any]:
    return {}


def _end(random: Random) -> dict[str, Any]:
    return {"after_calls": random.choice((0, random.randint(1, 40), random.randint(1, 400))), **_down(random)}


def _down(random: Random) -> dict[str, Any]:
    return {"down_s": random.choice((0.1, 1.0, round(random.uniform(1.0, 60.0), 1)))}


def _for(*choices_s: float) -> Callable[[Random], dict[str, Any]]:
    return lambda random: {"for_s": round(random.choice(choices_s) * random.uniform(0.5, 1.5), 2)}


def _reconfigure(random: Random) -> dict[str, Any]:
    section, table = random.choice(list(_settings(random).items()))
    name = random.choice(list(table))
    return {"settings": {section: {name: table[name]}}, **_down(random)}


def _disk_error(random: Random) -> dict[str, Any]:
    return {
        "call": random.choice([call.value for call in Call]),
        "good": random.choice((0, random.randint(0, 30))),
        "bad": random.choice((1, 2, 5, 20)),
    }


_ARGS: Final[dict[str, Callable[[Random], dict[str, Any]]]] = {
    "kill": _end,
    "power_cut": _end,
    "restart": _down,
    "reconfigure": _reconfigure,
    "old_copy": _down,
    "car_off": _for(5.0, 60.0),
    "outage": _for(2.0, 30.0, 120.0),
    "silence": _for(3.0, 20.0, 90.0),
    "slow": lambda random: {"bytes_per_s": random.choice((300.0, 2000.0)), **_for(30.0, 120.0)(random)},
    "broker_crash": _for(1.0, 20.0),
    "broker_forgets": _for(5.0, 60.0),
    "server_crash": _for(1.0, 20.0, 60.0),
    "restore": _for(1.0, 20.0),
    "disk_full": lambda random: {"leave_bytes": random.choice((0, 4096, 65536)), **_for(5.0, 60.0)(random)},
    "inodes_full": lambda random: {"leave_inodes": random.choice((0, 1)), **_for(5.0, 60.0)(random)},
    "read_only": _for(5.0, 30.0),
    "disk_error": _disk_error,
    "rot": lambda random: {
        "suffix": random.choice(("", "", "-wal")),
        "where": round(random.random(), 4),
        "bytes": random.choice((1, 64, 4096)),
    },
    "truncate": lambda random: {"where": round(random.random(), 4), "whole_blocks": random.random() < 0.5},
    "replace": lambda random: {"bytes": random.choice((0, 100, 8192))},
    "clock_set": lambda random: {
        "error_ms": random.choice(CLOCK_ERRORS_MS),
        "drift": random.choice((0.0, 0.0, 2e-4, -2e-4)),
    },
}
