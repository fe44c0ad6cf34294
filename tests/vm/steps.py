"""What is looked at while the power is on: each step says what it has seen, and fails by an assertion."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from support.waiting import until
from vm.trial import CONFIG, FAULT, LONG_S, ODOMETER_KM, UNIT, VIN, config_text

if TYPE_CHECKING:
    from vm.trial import Trial

EXPOSURE_MAX: Final = 2.5
"""As in tests/deploy/test_unit.py, which asks systemd without running the unit."""
INSTALL_S_MAX: Final = 600.0
HANG_S_MAX: Final = 400.0
"""WatchdogSec= of the unit as it is shipped is 120 s, RestartSec= 15 s."""
CONTRACT: Final = "not another_process"
"""A serial adapter's characters at ten times the speed are too much for an emulated processor."""
SAMPLES_LOOKS_MAX: Final = 100
CONTRACT_S_MAX: Final = 1800.0
KEEPS_OUT: Final = {
    "Seccomp": "2",
    "NoNewPrivs": "1",
    "CapEff": "0000000000000000",
    "CapBnd": "0000000000000000",
    "CapAmb": "0000000000000000",
}


async def boots(trial: Trial) -> str:
    took_s = await trial.machine.boot()
    await trial.machine.run("systemctl is-system-running --wait", LONG_S)
    failed = await trial.machine.good("systemctl list-units --failed --plain --no-legend")
    assert failed == "", f"failed units: {failed}"
    assert await trial.machine.good("cat /proc/1/comm") == "systemd"
    await trial.machine.until("ip -o link show vcan0 | grep -q ,UP", "vcan0 is up")
    assert "vcan" in await trial.machine.good("ip -details link show vcan0")
    kernel = await trial.machine.good("uname -r")
    systemd = (await trial.machine.good("systemctl --version")).split()[1]
    return f"Linux {kernel}, systemd {systemd} as process 1, vcan0; {took_s:.0f} s"


async def installs(trial: Trial) -> str:
    machine = trial.machine
    await machine.good("dpkg -i /package.deb", INSTALL_S_MAX)
    assert await machine.good(f"systemctl is-enabled {UNIT}") == "enabled"
    assert await trial.shown("ActiveState") == "inactive", "it was started without a configuration"
    await machine.write(str(CONFIG), config_text())
    await machine.good(
        "cd /etc/milepost && echo secret >device.secret && "
        "chown milepost: device.secret && chmod 600 device.secret"
    )
    return "enabled, and not started without a configuration"


async def becomes_ready(trial: Trial) -> str:
    await trial.drive()
    began_s = time.monotonic()
    # Where the emulation is starved, TimeoutStartSec= may end a start; systemd begins anew, which is told.
    await trial.machine.good(f"systemctl --no-block start {UNIT}")
    await trial.is_running()
    took_s = time.monotonic() - began_s
    shown = [await trial.shown(name) for name in ("Type", "ActiveState", "SubState", "StatusText")]
    assert shown[:3] == ["notify", "active", "running"], shown
    assert f"Started {UNIT}.service" in await trial.journal(), "systemd does not say that it started"
    where = await trial.machine.good("findmnt -n -o SOURCE,FSTYPE -T /var/lib/milepost/buffer.db")
    assert where.split() == ["/dev/vdb", "ext4"], where
    again = await trial.shown("NRestarts")
    return f"READY after {took_s:.1f} s, {again} starts timed out; status {shown[3]}; buffer on {where}"


async def is_kept_in(trial: Trial) -> str:
    """The limits of the unit, as the kernel has them."""
    machine = trial.machine
    pid = await trial.shown("MainPID")
    assert await machine.good(f"stat -c %U /proc/{pid}") == "milepost"
    text = await machine.good(f"cat /proc/{pid}/status")
    found = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert {name: found[name] for name in KEEPS_OUT} == KEEPS_OUT
    group = f"/sys/fs/cgroup{await trial.shown('ControlGroup')}"
    limits = (await machine.good(f"cd {group} && cat memory.high memory.max pids.max")).split()
    assert limits == [str(96 * 1024 * 1024), str(128 * 1024 * 1024), "32"], limits
    # As root, so that it is the unit that forbids: among its mounts, and in its control group.
    mounts, member = f"nsenter -t {pid} -m", f"echo $$ >{group}/cgroup.procs && exec"
    for allowed in (
        f"{mounts} touch /var/lib/milepost/lost+found",
        f"{member} head -c1 /dev/zero >/dev/null",
    ):
        await machine.good(allowed)
    for forbidden in ("touch /etc/hostname", "touch /usr/bin"):
        assert "Read-only" in (await machine.run(f"{mounts} {forbidden}")).output, f"it may: {forbidden}"
    refused = (await machine.run(f"{member} head -c1 /dev/vda")).output
    assert "Operation not permitted" in refused, f"it may read /dev/vda: {refused!r}"
    memory = round(int(await trial.shown("MemoryCurrent")) / 1e6)
    return f"no capability, filter on, memory {memory} MB of 128 MiB, resident {found['VmRSS'].strip()}"


async def exposure(trial: Trial) -> str:
    told = await trial.machine.good(f"systemd-analyze security --no-pager {UNIT}", LONG_S)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+) (\w+)", told)
    assert level, told[-500:]
    assert float(level[1]) <= EXPOSURE_MAX, level[0]
    return f"exposure {level[1]} {level[2]} of the loaded unit"


async def stores_and_publishes(trial: Trial) -> str:
    """What the car says comes out at the far end: by listening, by OBD-II and by UDS."""
    wanted = {paths.VIN, paths.ODOMETER, paths.SPEED, paths.RPM}

    def found() -> dict[str, object]:
        return {sample.signal: sample.value for sample in sorted(trial.samples())}

    await until(lambda: wanted <= found().keys(), f"samples of {sorted(wanted)}", LONG_S)
    assert found()[paths.VIN] == VIN, found()
    await until(
        lambda: any(one.signal == paths.DTC and FAULT in str(one.value) for one in trial.samples()),
        f"{FAULT} is told",
        LONG_S,
    )
    driven_m = float(str(found()[paths.ODOMETER])) - 1000 * (ODOMETER_KM + trial.starts)
    assert -100 <= driven_m <= 50_000, f"the odometer is off by {driven_m} m"
    facts = (await trial.status())["sources"]["can"]
    assert facts["connects"] == 1, facts
    assert facts["failures"] == facts["frames_dropped"] == 0, facts
    return f"{len(trial.samples())} samples of {len(found())} signals; {facts['requests']} requests on vcan0"


async def explains_itself(trial: Trial) -> str:
    """The commands as docs/integrate.md has them: status by root, doctor by the agent's user."""
    machine = trial.machine
    text = await machine.good("milepost-agent status")
    for line in ("device    gw-17", "stored    up to seq", "uplink    connected", "source    can: running"):
        assert line in text, f"status does not say {line!r}:\n{text}"
    assert "good" in await machine.good("milepost-agent config check")
    doctor = await machine.run("runuser -u milepost -- milepost-agent doctor", LONG_S)
    assert doctor.status == 0, doctor.output
    assert "BAD" not in doctor.output
    (machine.logs / "status.txt").write_text(text + "\n")
    (machine.logs / "doctor.txt").write_text(doctor.output)
    notes = [" ".join(line.split()) for line in doctor.output.splitlines() if line.startswith("note")]
    return f"{len(doctor.output.splitlines())} findings, none BAD; {'; '.join(notes) or 'no note'}"


async def hangs_once(trial: Trial) -> str:
    """Stopped by a signal, as if it hung: the watchdog of the unit as it is shipped."""
    pid = await trial.shown("MainPID")
    starts = int(await trial.shown("NRestarts"))
    stored = (await trial.status())["buffer"]["stored_seq"]
    began_s = time.monotonic()
    await trial.machine.good(f"kill -STOP {pid}")
    await trial.machine.until(
        f'[ "$(systemctl show -p NRestarts --value {UNIT})" -gt {starts} ]', "a new start", HANG_S_MAX
    )
    await trial.is_running()
    took_s = time.monotonic() - began_s
    assert await trial.shown("MainPID") not in (pid, "0")
    journal = await trial.journal()
    assert "Watchdog timeout" in journal, journal[-2000:]
    assert re.search(r'File ".*", line \d+ in ', journal), "the journal does not say where it hung"
    assert (await trial.status())["buffer"]["stored_seq"] >= stored
    await trial.arrives(20, "samples after it hung")
    return f"ended and started anew {took_s:.0f} s later; the journal says where it hung"


async def goes_read_only(trial: Trial) -> str:
    """All file systems go read-only by force, as the kernel does in an emergency; then writable again."""
    machine = trial.machine
    pid = await trial.shown("MainPID")
    asked = await machine.run("mount -o remount,ro /var/lib/milepost")
    assert "busy" in asked.output, "without force it should be refused while the buffer is open"
    await machine.good("echo 1 >/proc/sys/kernel/sysrq; echo u >/proc/sysrq-trigger")
    try:
        waiting = await _refuses_but_samples(trial)
    finally:
        await machine.good("mount -o remount,rw / && mount -o remount,rw /var/lib/milepost")
    await machine.until("milepost-agent status | grep 'NOT STORING'; [ $? = 1 ]", "it stores again", LONG_S)
    assert await trial.shown("MainPID") == pid, "it was started anew"
    await trial.arrives(20, "samples after the disk came back")
    buffer = (await trial.status())["buffer"]
    assert not any(buffer["lost_in_memory"].values()), buffer
    assert buffer["corrupt_files"] == 0, buffer
    said = [line for line in (await trial.journal()).splitlines() if line.startswith("buffer.recorder: ")]
    assert len(said) >= 2, f"the journal does not say that the disk refuses, and that it does no more: {said}"
    return f"sampled on ({waiting} in memory), then stored all of it; in the journal: {said[-2:]}"


async def _refuses_but_samples(trial: Trial) -> int:
    """How many samples wait in memory while the disk refuses."""
    await trial.machine.until("findmnt -n -o OPTIONS /var/lib/milepost | grep -q '^ro'", "it is read-only")
    await trial.machine.until("milepost-agent status | grep -q 'NOT STORING'", "status says so", LONG_S)
    first = last = (await trial.status())["samples"]
    for _ in range(SAMPLES_LOOKS_MAX):
        last = (await trial.status())["samples"]
        if last["sampled"] > first["sampled"] and last["in_memory"] > 0:
            return int(last["in_memory"])
        await asyncio.sleep(0.5)
    raise AssertionError(f"it does not go on sampling: {last}")


async def bus_contract(trial: Trial) -> str:
    """The tests of every bus, those on SocketCAN included, which skip where a kernel has no vcan."""
    await trial.machine.good(f"systemctl stop {UNIT} && (systemctl stop car || true)", LONG_S)
    try:
        done = await trial.machine.run(
            "cd /opt/milepost && .venv/bin/python -m pytest -p no:cacheprovider -v --timeout=900 "
            f"-k '{CONTRACT}' tests/agent/test_can_contract.py",
            CONTRACT_S_MAX,
        )
    finally:
        await trial.drive()
        await trial.machine.good(f"systemctl start {UNIT}", LONG_S)
    (trial.machine.logs / "contract.txt").write_text(done.output)
    assert done.status == 0, done.output[-3000:]
    assert "skipped" not in done.output.splitlines()[-1], done.output[-1000:]
    passed = done.output.count("socketcan] PASSED")
    assert passed, "none on SocketCAN"
    return f"{done.output.splitlines()[-1].strip('= ')}; {passed} of them on SocketCAN"


async def stops(trial: Trial) -> str:
    """A stop by systemd: the last commit, the end of the connection, exit status 0."""
    began_s = time.monotonic()
    await trial.machine.good(f"systemctl stop {UNIT}", LONG_S)
    took_s = time.monotonic() - began_s
    assert await trial.shown("Result") == "success"
    assert await trial.shown("ExecMainStatus") == "0"
    return f"exit status 0 after {took_s:.1f} s"
