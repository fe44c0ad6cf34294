"""The status of an agent: one JSON document. Fields may come, none goes as long as ``version`` stays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from milepost_agent import __version__
from milepost_agent.errors import StoreError

if TYPE_CHECKING:
    from milepost_agent.health.seen import Observed
    from milepost_agent.settings import Config

STATUS_VERSION: Final = 1


async def status_document(agent: Observed, config: Config) -> dict[str, Any]:
    """What the agent knows of itself now; all of it can be JSON."""
    now = agent.clock()
    return {
        "version": STATUS_VERSION,
        "software": __version__,
        "device": config.device.id,
        "pid": os.getpid(),
        "uptime_s": round(agent.uptime_s, 1),
        "resident_mb": resident_mb(),
        "clock": {"wall_ms": now.wall_ms, "trust": now.trust.value},
        "samples": _samples(agent),
        "buffer": await _buffer(agent),
        "flash": agent.flash.facts(agent.recorder.stored),
        "uplink": _uplink(agent),
        "power": agent.keeper.status(),
        "remote": agent.remote.status(),
        "sources": {name: dict(source.status()) for name, source in agent.sources.items()},
        "derived": _derived(agent),
        "entries": agent.desk.facts(),
        "tasks": {task.name: task.facts() for task in agent.tasks},
    }


def _samples(agent: Observed) -> dict[str, Any]:
    recorder = agent.recorder
    return {
        "sampled": recorder.sampled,
        "stored": recorder.stored,
        "in_memory": recorder.pending,
        "withheld": agent.edge.withheld,
        "refused": dict(recorder.refused) | {"bounds": sum(agent.edge.refused.values())},
        "last_refusal": recorder.last_refusal,
        "counters_error": agent.edge_state_error,
    }


def _derived(agent: Observed) -> dict[str, Any]:
    names = list(agent.sources)
    return {
        "from": {
            what: {signal: names[rank] for signal, rank in ranks.items()}
            for what, ranks in agent.edge.origins().items()
        },
        "overruled": {names[rank]: count for rank, count in agent.edge.arbiter.overruled.items()},
        "missed_dips": agent.edge.missed_dips,
    }


async def _buffer(agent: Observed) -> dict[str, Any]:
    recorder = agent.recorder
    common = {
        "commits": recorder.commits,
        "lost_in_memory": dict(recorder.lost),
        "error": recorder.last_error,
    }
    try:
        facts = await recorder.ask(lambda store: store.facts())
    except StoreError as error:
        return common | {"error": str(error)}
    return common | facts._asdict()


def _uplink(agent: Observed) -> dict[str, Any]:
    uplink, schedule = agent.uplink, agent.uplink.schedule
    session = schedule.current
    return {
        "is_connected": uplink.is_connected,
        "connects": uplink.connects,
        "error": uplink.last_error,
        "epoch": session.epoch if session else "",
        "sent_seq": session.sent if session else 0,
        "receipted_seq": session.receipted if session else 0,
        "unreceipted_batches": schedule.unreceipted_batches,
        "rate_bytes_s": schedule.rate_bytes_s,
        "resends": schedule.resends,
        "batches": uplink.batches,
        "batch_bytes": uplink.batch_bytes,
        "today_bytes": uplink.budget.used_bytes,
        "held_back": uplink.allowance.why,
        "receipts": dict(uplink.receipts),
        "receipt_age_s": _age_s(agent.clock().mono_s, uplink.receipt_s),
        "dropped": uplink.dropped,
    }


def _age_s(now_s: float, at_s: float | None) -> float | None:
    return None if at_s is None else round(now_s - at_s, 1)


def resident_mb() -> float | None:
    """Resident memory of this process, None where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  (no need of pathlib)
            pages = int(file.read().split()[1])
    except OSError:
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
