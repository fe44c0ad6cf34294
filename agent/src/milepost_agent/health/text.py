"""The status document as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from milepost_protocol.device_documents import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MIB: Final = 1024 * 1024


def as_text(status: Mapping[str, Any], now_ms: int) -> str:
    """``status`` for people."""
    return "\n".join(_lines(status, now_ms))


def _lines(status: Mapping[str, Any], now_ms: int) -> Iterator[str]:
    samples, buffer, uplink = status["samples"], status["buffer"], status["uplink"]
    memory = f", {status['resident_mb']} MB" if status["resident_mb"] else ""
    yield (
        f"device    {status['device']}, version {status['software']}, process {status['pid']}, "
        f"up {duration(status['uptime_s'])}{memory}"
    )
    yield f"clock     {status['clock']['trust']}"
    yield f"sampled   {samples['sampled']:,} since start, {samples['in_memory']:,} of them not stored yet"
    refused = sum(samples["refused"].values())
    if refused:
        yield f"          {refused:,} refused: {samples['last_refusal'] or 'outside the bounds of physics'}"
    if "epoch" in buffer:
        yield from _buffer_lines(buffer, now_ms)
    if buffer["error"]:
        yield f"          NOT STORING: {buffer['error']}"
    yield from _flash_lines(status["flash"])
    yield from _uplink_lines(uplink)
    yield from _power_lines(status["power"])
    yield from _remote_lines(status["remote"], now_ms)
    for name, facts in status["sources"].items():
        task = status["tasks"].get(f"source {name}", {})
        # What never happened is not worth a word; programs find the zeros in the document.
        known = ", ".join(f"{key} {value}" for key, value in facts.items() if value not in (0, ""))
        yield f"source    {name}: {task.get('state', '')}; {known}"
    entries = status["entries"]
    if entries["refused"]:
        refused = ", ".join(f"{count:,} {reason}" for reason, count in entries["refused"].items())
        yield f"entries   {entries['taken']:,} stored; refused: {refused}"
    yield from _derived_lines(status["derived"], len(status["sources"]))
    for name, task in status["tasks"].items():
        if task["last_error"]:
            yield f"task      {name}: {task['state']}, failed {task['failures']} times: {task['last_error']}"


def _derived_lines(derived: Mapping[str, Any], sources: int) -> Iterator[str]:
    if derived["missed_dips"]:
        yield f"derived   {derived['missed_dips']:,} starts without a cranking voltage: read too late"
    if sources < 2:
        return
    for what, signals in derived["from"].items():
        heard = ", ".join(f"{signal} of {name}" for signal, name in signals.items())
        if heard:
            yield f"derived   {what} from {heard}"
    for name, count in derived["overruled"].items():
        yield f"          {count:,} readings of {name} did not count: another source spoke for the signal"


def _buffer_lines(buffer: Mapping[str, Any], now_ms: int) -> Iterator[str]:
    yield f"stored    up to seq {buffer['stored_seq']:,} of epoch {buffer['epoch']}"
    yield f"receipted up to seq {buffer['receipted_seq']:,}"
    oldest = f", oldest {duration((now_ms - buffer['oldest_ms']) / 1000)} ago" if buffer["oldest_ms"] else ""
    older = f", in {buffer['epochs']} epochs" if buffer["epochs"] > 1 else ""
    yield f"waiting   {buffer['waiting']:,} seqs for a receipt{oldest}{older}"
    if buffer["waiting_gaps"]:
        dropped, gaps = buffer["waiting_gap_samples"], buffer["waiting_gaps"]
        yield f"          of them {dropped:,} dropped, in {gaps:,} gaps"
    if buffer["dropped"]:
        reasons = ", ".join(f"{count:,} {name}" for name, count in buffer["dropped"].items())
        yield f"dropped   since start: {reasons}"
    if buffer["lost_in_memory"]:
        lost = ", ".join(f"{count:,} {name}" for name, count in buffer["lost_in_memory"].items())
        yield f"          for want of disk: {lost}"
    used, size = buffer["used_bytes"] / MIB, buffer["file_bytes"] / MIB
    yield f"buffer    {used:.1f} MiB used of a file of {size:.1f} MiB"
    if buffer["corrupt_files"]:
        yield f"          {buffer['corrupt_files']} damaged files were set aside (*.corrupt-<n>)"


def _flash_lines(flash: Mapping[str, Any]) -> Iterator[str]:
    if flash["written_bytes"] is None:
        return
    sample = f", {flash['bytes_per_sample']:,} bytes a sample" if flash["bytes_per_sample"] else ""
    yield f"flash     {flash['written_bytes'] / 1e6:,.1f} MB written since start{sample}"
    if flash["bytes_per_day"] is not None:
        day, budget = flash["bytes_per_day"] / 1e6, flash["bytes_per_day_max"] / 1e6
        yield f"          at this pace {day:,.0f} MB a day of a budget of {budget:,.0f} MB"
    if flash["commit_stretch"] > 1:
        yield f"          OVER BUDGET: commits are {flash['commit_stretch']:g} times as rare as configured"


def _uplink_lines(uplink: Mapping[str, Any]) -> Iterator[str]:
    # Trouble is over with the next receipt: a broker that lets a device in may end its connection soon.
    state, told = ("connected", "; before that: ") if uplink["is_connected"] else ("NOT CONNECTED", ": ")
    yield f"uplink    {state}{told if uplink['error'] else ''}{uplink['error']}"
    yield (
        f"sent      up to seq {uplink['sent_seq']:,} of epoch {uplink['epoch'] or '(none yet)'}; "
        f"{uplink['batches']:,} batches, {uplink['batch_bytes']:,} bytes, {uplink['resends']:,} resends"
    )
    held_back = f"; {uplink['held_back']}" if uplink["held_back"] else ""
    yield f"          {uplink['today_bytes']:,} bytes of messages today{held_back}"


def _power_lines(power: Mapping[str, Any]) -> Iterator[str]:
    volts, rest_v = power["voltage_v"], power["rest_voltage_v"]
    shown = "voltage unknown" if volts is None else f"{volts:.1f} V"
    rest = "" if rest_v is None else f", {rest_v:.1f} V at rest"
    yield f"power     {power['stance']} for {duration(power['since_s'])}: {power['reason']}; {shown}{rest}"
    if power["next_look_s"] is not None:
        yield f"          link {power['link']}, next look in {duration(power['next_look_s'])}"
    if power["sleep_error"]:
        yield f"          DOES NOT SLEEP: {power['sleep_error']}"
    if power["implausible_voltages"]:
        yield f"          {power['implausible_voltages']:,} voltages that no battery of power.system_v has"


def _remote_lines(remote: Mapping[str, Any], now_ms: int) -> Iterator[str]:
    revision, profile, refused = remote["revision"], remote["profile"], remote["refused"]
    yield f"config    {f'revision {revision} of the server, over the file' if revision else 'the file alone'}"
    if profile:
        left = duration((profile["expires_ms"] - now_ms) / 1000)
        until = f", ends in {left}" if profile["state"] == RUNNING else ""
        yield f"          profile {profile['name']}: {profile['state']}{until}"
    if refused:
        yield f"          REFUSED revision {refused['revision'] or '(unreadable)'}: {refused['error']}"
    if remote["trouble"]:
        yield f"          {remote['trouble']}"


def duration(seconds: float) -> str:
    """So many seconds in the unit that suits them."""
    seconds = max(0, round(seconds))
    for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length_s:
            return f"{seconds / length_s:.1f} {unit}"
    return f"{seconds} s"
