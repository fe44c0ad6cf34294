"""Everything that may happen in a history, as one table: each kind with its effect on the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from milepost_simulator.world.disk import BLOCK_BYTES
from milepost_simulator.world.life import BUFFER
from milepost_simulator.world.mount import Call, End

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milepost_simulator.world.scenario import Fault
    from milepost_simulator.world.world import World

    Effect = Callable[[World, Mapping[str, Any]], None]

DAY_MS: Final = 86_400_000


# --- The agent's process ----------------------------------------------------------------------------------


def kill(world: World, args: Mapping[str, Any]) -> None:
    world.strike(End.KILL, args["after_calls"], args["down_s"])


def power_cut(world: World, args: Mapping[str, Any]) -> None:
    world.strike(End.POWER_CUT, args["after_calls"], args["down_s"])


def restart(world: World, args: Mapping[str, Any]) -> None:
    world.restart(args["down_s"])


def reconfigure(world: World, args: Mapping[str, Any]) -> None:
    for section, table in args["settings"].items():
        world.settings.setdefault(section, {}).update(table)
    world.restart(args["down_s"])


def car_off(world: World, args: Mapping[str, Any]) -> None:
    world.set_car(is_on=False)
    world.later(args["for_s"], lambda: world.set_car(is_on=True))


def battery(world: World, args: Mapping[str, Any]) -> None:
    """The battery of a parked car shows another voltage."""
    world.set_battery(args["rest_v"])


# --- Network, broker, server ------------------------------------------------------------------------------


def cut(world: World, _: Mapping[str, Any]) -> None:
    world.network.cut()


def outage(world: World, args: Mapping[str, Any]) -> None:
    world.network.weather.is_up = False
    world.network.cut()
    world.later(args["for_s"], world.network.come_back)


def silence(world: World, args: Mapping[str, Any]) -> None:
    world.network.silence(args["for_s"])


def slow(world: World, args: Mapping[str, Any]) -> None:
    world.network.weather.bytes_per_s = args["bytes_per_s"]
    world.later(args["for_s"], world.network.full_speed)


def kick(world: World, _: Mapping[str, Any]) -> None:
    world.broker.kick()


def broker_crash(world: World, args: Mapping[str, Any]) -> None:
    world.broker.crash()
    world.later(args["for_s"], world.broker.start)


def broker_forgets(world: World, args: Mapping[str, Any]) -> None:
    world.broker.manners.forgets = True
    world.later(args["for_s"], world.broker.remember)


def server_crash(world: World, args: Mapping[str, Any]) -> None:
    world.ingest.crash()
    world.later(args["for_s"], world.ingest.start)


def back_up(world: World, _: Mapping[str, Any]) -> None:
    world.ingest.back_up()


def restore(world: World, args: Mapping[str, Any]) -> None:
    world.excuses.add("restored")
    world.ingest.crash()
    world.ingest.restore()
    world.later(args["for_s"], world.ingest.start)


def desire(world: World, args: Mapping[str, Any]) -> None:
    world.desire(args["settings"])


# --- The disk ---------------------------------------------------------------------------------------------


def disk_full(world: World, args: Mapping[str, Any]) -> None:
    world.excuses.add("disk")
    world.disk.foreign_bytes = max(0, world.disk.free_bytes - args["leave_bytes"])
    world.later(args["for_s"], world.clear_disk)


def inodes_full(world: World, args: Mapping[str, Any]) -> None:
    world.excuses.add("disk")
    world.disk.foreign_inodes = max(0, world.disk.free_inodes - args["leave_inodes"])
    world.later(args["for_s"], world.clear_disk)


def disk_error(world: World, args: Mapping[str, Any]) -> None:
    world.excuses.add("disk")
    world.trouble.errors[Call(args["call"])] = (args["good"], args["bad"])


def read_only(world: World, args: Mapping[str, Any]) -> None:
    world.excuses.add("disk")
    world.trouble.is_read_only = True
    world.later(args["for_s"], world.clear_disk)


def rot(world: World, args: Mapping[str, Any]) -> None:
    """Turn some bits of the file over, on the disk and in the cache."""
    inode = world.disk.names.get(f"{BUFFER}{args['suffix']}")
    if inode is None or not inode.data:
        return
    # A log that ends too soon is as good as an older copy of the file: no sum tells that there was more.
    world.excuses |= {"damaged", "older_copy"} if args["suffix"] else {"damaged"}
    place = int(args["where"] * len(inode.data))
    for offset in range(place, min(place + args["bytes"], len(inode.data))):
        inode.data[offset] ^= 0x5A
    inode.sync()


def truncate(world: World, args: Mapping[str, Any]) -> None:
    inode = world.disk.names.get(str(BUFFER))
    if inode is None:
        return
    world.excuses.add("damaged")
    size = int(args["where"] * len(inode.data))
    inode.resize(size - size % BLOCK_BYTES if args["whole_blocks"] else size)
    inode.sync()


def vanish(world: World, _: Mapping[str, Any]) -> None:
    """Somebody removes the file, and leaves its log."""
    if str(BUFFER) in world.disk.names:
        world.excuses.add("removed" if world.has_open_buffer else "damaged")
        world.disk.remove(str(BUFFER))
        world.disk.sync_folder()


def replace(world: World, args: Mapping[str, Any]) -> None:
    """Somebody puts a file of other content in the place of the buffer."""
    if str(BUFFER) in world.disk.names:
        world.excuses.add("removed" if world.has_open_buffer else "damaged")
        world.disk.put(str(BUFFER), bytes(args["bytes"]))
        world.disk.sync_folder()


def keep_copy(world: World, _: Mapping[str, Any]) -> None:
    """Somebody copies the buffer, with its log."""
    world.kept_copy = {
        suffix: bytes(world.disk.names[f"{BUFFER}{suffix}"].data)
        for suffix in ("", "-wal")
        if f"{BUFFER}{suffix}" in world.disk.names
    }


def old_copy(world: World, args: Mapping[str, Any]) -> None:
    """Somebody stops the agent, puts the copy back, and starts it again."""
    world.restart(args["down_s"], world.put_copy_back)


# --- Clocks -----------------------------------------------------------------------------------------------


def clock_set(world: World, args: Mapping[str, Any]) -> None:
    world.clocks.unsync(args["error_ms"], args["drift"])


def clock_1970(world: World, _: Mapping[str, Any]) -> None:
    """The wall clock begins anew, a day after 1970: no reading of this boot is then before all time."""
    world.clocks.unsync(float(DAY_MS - world.clocks.true_ms()))


def clock_sync(world: World, _: Mapping[str, Any]) -> None:
    world.clocks.sync()


FAULTS: Final[Mapping[str, Effect]] = {
    effect.__name__: effect
    for effect in (
        *(kill, power_cut, restart, reconfigure, car_off, battery),
        *(cut, outage, silence, slow, kick),
        *(broker_crash, broker_forgets, server_crash, back_up, restore, desire),
        *(disk_full, inodes_full, disk_error, read_only, rot, truncate, vanish, replace),
        *(keep_copy, old_copy),
        *(clock_set, clock_1970, clock_sync),
    )
}


def schedule(world: World, fault: Fault) -> None:
    """Let ``fault`` happen to ``world`` in its time."""
    effect = FAULTS[fault.kind]

    def happen() -> None:
        world.trace(f"{fault.kind} {dict(fault.args)}")
        world.ledger.counts[f"fault_{fault.kind}"] += 1
        effect(world, fault.args)

    world.later(fault.at_s, happen)
