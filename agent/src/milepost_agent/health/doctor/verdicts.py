"""What a look means for the agent, and what to do about it. Pure: facts in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from milepost_agent.health.doctor.findings import Finding, Level
from milepost_agent.health.text import MIB, duration
from milepost_protocol.samples import TimeTrust

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_agent.clock import ClockReading
    from milepost_agent.health.doctor.probes import (
        BrokerFacts,
        DiskFacts,
        PortFacts,
        SecretFacts,
        SourceFacts,
    )

FSYNC_S_MAX: Final = 1.0
"""A commit is a few of these; slower than this the flash is worn, or does something else."""
CERTIFICATE_DAYS_MIN: Final = 21.0
RECEIPT_S_MAX: Final = 1800.0
"""A server that is well answers within seconds; beyond this somebody should look."""
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs", "rootfs"})
OVER_A_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})
WITHOUT_JOURNAL: Final = frozenset({"vfat", "exfat", "ext2", "msdos"})


def secret(facts: SecretFacts) -> Finding:
    """A secret that was read, by this user."""
    if facts.folder_owner and facts.owner != facts.folder_owner:
        return Finding(
            "secret",
            Level.NOTE,
            f"is owned by {facts.owner}, the buffer's folder by {facts.folder_owner}",
            f"if {facts.folder_owner} runs the agent: chown {facts.folder_owner} the file",
        )
    return Finding("secret", Level.GOOD, f"one line, only {facts.owner or 'its owner'} can read it")


def clock(now: ClockReading) -> Finding:
    """Times are repaired later where they can be; they are never made up."""
    if now.trust is TimeTrust.SYNCED:
        return Finding("clock", Level.GOOD, "kept by a time service")
    if now.trust is TimeTrust.RTC:
        return Finding(
            "clock",
            Level.NOTE,
            "plausible, but no time service keeps it",
            "run one, such as systemd-timesyncd or chrony",
        )
    return Finding(
        "clock",
        Level.NOTE,
        "wrong: times are repaired once a time service has set it, if that is before the next boot",
        "run a time service, such as systemd-timesyncd or chrony",
    )


def disk(facts: DiskFacts, free_bytes_min: int, free_inodes_min: int, bytes_max: int) -> list[Finding]:
    """Whether the buffer can be stored there, and lasts."""
    where = f"{facts.folder} ({facts.file_system or 'unknown file system'})"
    free = f"{facts.free_bytes / MIB:,.0f} MiB free"
    found: list[Finding] = []
    if facts.is_read_only:
        found.append(_bad("disk", f"{where} is mounted read-only", "mount it read-write"))
    elif facts.fsync_s is None:
        advice = f"give it to the agent's user: it belongs to {facts.owner}, this is {facts.user}"
        found.append(_bad("disk", f"{where} takes no file: {facts.refusal}", advice))
    if facts.free_bytes < free_bytes_min:
        found.append(_bad("disk", f"{where}: {free}, so nothing is stored", "make room"))
    if facts.free_inodes is not None and facts.free_inodes < free_inodes_min:
        found.append(_bad("disk", f"{where}: {facts.free_inodes:,} inodes free", "remove small files"))
    if found:
        return found
    if facts.free_bytes < free_bytes_min + bytes_max:
        advice = "set [buffer] bytes_max to what there is room for"
        found.append(Finding("disk", Level.NOTE, f"{where}: {free}, less than the buffer may take", advice))
    found += _file_system(facts.file_system, where)
    if facts.fsync_s is not None and facts.fsync_s > FSYNC_S_MAX:
        slow = f"a small write takes {facts.fsync_s:.1f} s to reach it"
        found.append(Finding("disk", Level.NOTE, f"{where}: {slow}", "look whether the flash is worn"))
    millis = f"{1000 * (facts.fsync_s or 0):.1f} ms for a small write"
    return found or [Finding("disk", Level.GOOD, f"{where}: {free}, {millis}")]


def _file_system(kind: str, where: str) -> list[Finding]:
    if kind in IN_MEMORY:
        return [_bad("disk", f"{where} is lost in a power cut", "put [buffer] path on flash")]
    if kind in OVER_A_NETWORK:
        return [Finding("disk", Level.NOTE, f"{where} is on a network", "put [buffer] path on own flash")]
    if kind in WITHOUT_JOURNAL:
        advice = "use ext4, f2fs or btrfs"
        return [Finding("disk", Level.NOTE, f"{where} has no journal: a power cut may damage it", advice)]
    return []


def buffer(status: Mapping[str, Any], now_ms: int) -> Finding:
    """What a running agent says of its buffer."""
    facts = status["buffer"]
    if facts["error"]:
        return _bad("buffer", f"does not store: {facts['error']}", "see the line of the disk")
    oldest = (
        f", the oldest {duration((now_ms - facts['oldest_ms']) / 1000)} old" if facts["oldest_ms"] else ""
    )
    waiting = f"{facts['waiting']:,} seqs wait for a receipt{oldest if facts['waiting'] else ''}"
    if facts["corrupt_files"]:
        return Finding(
            "buffer",
            Level.NOTE,
            f"{facts['corrupt_files']} damaged files were set aside; {waiting}",
            "look at the flash; remove *.corrupt-* beside the buffer when nobody wants to look into them",
        )
    if facts["dropped"] or facts["lost_in_memory"]:
        counts = {**facts["dropped"], **facts["lost_in_memory"]}
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        advice = "give it a link, or a larger [buffer] bytes_max"
        return Finding("buffer", Level.NOTE, f"had to drop {told}; {waiting}", advice)
    return Finding("buffer", Level.GOOD, f"epoch {facts['epoch']}, {waiting}")


def port(path: str, facts: PortFacts) -> Finding | None:
    """What keeps this user from a serial port; None where nothing does."""
    if not facts.exists:
        return _bad(
            "adapter", f"{path} is not there", "plug the adapter in, or correct port; see ls /dev/tty*"
        )
    if not facts.is_terminal:
        return _bad("adapter", f"{path} is no serial port", "correct port; see ls /dev/tty*")
    if not facts.may_use:
        advice = f"add the agent's user to the group {facts.group}"
        return _bad("adapter", f"{facts.user} may not use {path}", advice)
    return None


def car(name: str, facts: SourceFacts, for_s: float) -> list[Finding]:
    """What a source told while it was listened to."""
    error = facts.error or str(facts.status.get("last_error", ""))
    if not facts.signals:
        told = error or f"told nothing within {for_s:.0f} s"
        return [_bad("adapter", f"{name}: {told}", "check power and wiring of the adapter")]
    volts = "" if facts.voltage_v is None else f", battery {facts.voltage_v:.1f} V"
    found = [Finding("adapter", Level.GOOD, f"{name}: answers{volts}")]
    if facts.vin:
        found.append(Finding("VIN", Level.GOOD, facts.vin))
        found.append(
            Finding("PIDs", Level.GOOD, f"{len(facts.signals)} signals heard in {for_s:.0f} s or less")
        )
    else:
        advice = "switch the ignition on and try again; a car that never tells needs [vehicle] vin"
        found.append(Finding("VIN", Level.NOTE, "was not told", advice))
        found.append(Finding("PIDs", Level.NOTE, f"{len(facts.signals)} signals heard", advice))
    return found


def sources(status: Mapping[str, Any]) -> list[Finding]:
    """What a running agent says of its sources."""
    found = []
    for name, facts in status["sources"].items():
        task = status["tasks"].get(f"source {name}", {})
        state = facts.get("state", task.get("state", "unknown"))
        count = f"{facts['readings']:,} readings" if "readings" in facts else ""
        told = ", ".join(part for part in (f"{name}: {state}", count) if part)
        error = task.get("last_error") or facts.get("last_error", "")
        if task.get("state") == "failed" or state == "failed":
            found.append(_bad("adapter", f"{told}: {error}", "check power and wiring of the adapter"))
        else:
            found.append(Finding("adapter", Level.GOOD, told))
    return found


def broker(address: str, facts: BrokerFacts, *, has_tls: bool) -> list[Finding]:
    """How far a connection came."""
    if facts.error:
        return [_bad("broker", f"{address}: {facts.error}")]
    millis = f"{1000 * (facts.connect_s or 0):.0f} ms"
    found = [
        Finding("broker", Level.GOOD, f"{address} is {', '.join(facts.addresses)}, connected in {millis}")
    ]
    days = facts.certificate_days_left
    if not has_tls:
        found.append(Finding("TLS", Level.NOTE, "off: password and data can be read on the way", "set tls"))
    elif days is not None and days < CERTIFICATE_DAYS_MIN:
        advice = "renew it at the broker, or no agent will connect"
        found.append(Finding("TLS", Level.NOTE, f"the broker's certificate ends in {days:.0f} days", advice))
    elif days is not None:
        found.append(Finding("TLS", Level.GOOD, f"the broker's certificate is good for {days:.0f} days"))
    return found


def login(device: str, error: str) -> Finding:
    """What the broker said to a login of the device; "" for a welcome."""
    if error:
        return _bad("login", error)
    return Finding("login", Level.GOOD, f"welcome as {device}, and receipts may be heard")


def link(status: Mapping[str, Any]) -> Finding:
    """What a running agent says of its connection."""
    uplink = status["uplink"]
    if uplink["is_connected"]:
        return Finding("login", Level.GOOD, f"the agent is connected, {uplink['batches']:,} batches sent")
    why = uplink["error"] or f"power keeps the link {status.get('power', {}).get('link', 'shut')}"
    return _bad("login", f"the agent is not connected: {why}")


def receipts(status: Mapping[str, Any]) -> Finding:
    """Whether the server, behind the broker, takes what is sent."""
    uplink, waiting = status["uplink"], status["buffer"].get("waiting", 0)
    age_s = uplink.get("receipt_age_s")
    last = "none yet" if age_s is None else f"the last {duration(age_s)} ago"
    silent_s = status["uptime_s"] if age_s is None else age_s
    if waiting and uplink["is_connected"] and uplink["batches"] and silent_s > RECEIPT_S_MAX:
        advice = "look whether the server runs, and knows this device (milepost-server device list)"
        return _bad("receipts", f"{last}, and {waiting:,} seqs wait: the server does not answer", advice)
    return Finding("receipts", Level.GOOD, last)


def skipped(checks: Sequence[str], why: str) -> list[Finding]:
    """Checks that were not made."""
    return [Finding(check, Level.SKIPPED, why) for check in checks]


def _bad(check: str, text: str, advice: str = "") -> Finding:
    return Finding(check, Level.BAD, text, advice)
