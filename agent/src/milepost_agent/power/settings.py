"""The settings of power, and the limits of the policy that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from milepost_agent.power.limits import PowerLimits
from milepost_agent.setting import setting

REST_LINKS: Final = ("close", "keep")
SYSTEM_VOLTS: Final = (12, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """[power]: when to leave the car alone, for the sake of its 12 V battery."""

    is_enabled: bool = setting(
        "false: always awake, for a gateway that does not live on the car's battery", True
    )
    system_v: int = setting(
        "12, or 24 for trucks and buses; the voltages below are those of 12 V, and count twice at 24",
        12,
        "V",
        12,
        24,
    )
    standing_s_max: float = setting(
        "so long a car is asked whose engine and wheels stand", 300.0, "s", 10, 86_400, remote=True
    )
    charging_v: float = setting("from here on the battery is being charged", 13.0, "V", 12.6, 15, remote=True)
    saving_v: float = setting(
        "below this at rest: everything is off but a look each duty_interval_s",
        12.2,
        "V",
        11.5,
        12.6,
        remote=True,
    )
    sleep_v: float = setting(
        "below this at rest: a last commit, one event, then sleep", 11.8, "V", 11, 12.5, remote=True
    )
    critical_v: float = setting(
        "below this for a minute, even under load, unless the engine runs: sleep", 11.0, "V", 9, 11.8
    )
    hysteresis_v: float = setting(
        "so far above saving_v the battery must rise again", 0.2, "V", 0.05, 1, remote=True
    )
    settle_s: float = setting(
        "so long after use or charging what the battery shows is no rest",
        1_800.0,
        "s",
        0,
        86_400,
        remote=True,
    )
    confirm_s: float = setting(
        "so long without a break it must be low: a door left open is no empty battery",
        600.0,
        "s",
        0,
        86_400,
        remote=True,
    )
    rest_look_s: float = setting(
        "between two looks at the battery of a parked car, by the adapter alone; a look a second also sees "
        "how far the starter pulls it down",
        1.0,
        "s",
        0.02,
        3600,
        remote=True,
    )
    rest_s_max: float = setting(
        "a car parked for so long is looked at each duty_interval_s, however full its battery; 0: never",
        259_200.0,
        "s",
        0,
        3.2e7,
        remote=True,
    )
    rest_link: str = setting(
        "what a parked car does with its connection once all is sent: close or keep", "close", remote=True
    )
    rest_drain_s_max: float = setting(
        "how long a parked car sends what is left before it closes", 3600.0, "s", 0, 604_800, remote=True
    )
    duty_interval_s: float = setting(
        "between two looks while the battery is low", 900.0, "s", 1, 86_400, remote=True
    )
    sleep_look_s: float = setting(
        "between two looks while asleep, where the machine itself does not sleep",
        900.0,
        "s",
        1,
        604_800,
        remote=True,
    )
    event_s_max: float = setting(
        "how long the connection stays open to tell that the battery is low", 120.0, "s", 0, 3600, remote=True
    )
    probe_s_max: float = setting(
        "longest pause until a parked car is asked again whose battery is being charged",
        900.0,
        "s",
        60,
        86_400,
        remote=True,
    )
    blind_probe_s: float = setting(
        "first pause until a parked car is asked again whose voltage cannot be read; it doubles up to an "
        "hour; 0: never",
        300.0,
        "s",
        0,
        86_400,
        remote=True,
    )
    ignition_file: str = setting(
        "file that reads 1 while the ignition is on, else 0, such as the value of a GPIO line; empty: none",
        "",
        "characters",
        0,
        4000,
    )
    sleep_command: tuple[str, ...] = setting(
        "program and arguments that put the machine to sleep, run without a shell once all is off; "
        "{seconds} stands for the time until the next look, and a command that has it is run while the "
        "battery is low, too; empty: none",
        (),
        "texts",
        0,
        32,
    )


def power_limits(power: Power) -> PowerLimits:
    """What the policy goes by, in the volts of the car's system."""
    return PowerLimits(
        is_enabled=power.is_enabled,
        standing_s_max=power.standing_s_max,
        charging_v=power.charging_v,
        saving_v=power.saving_v,
        sleep_v=power.sleep_v,
        critical_v=power.critical_v,
        hysteresis_v=power.hysteresis_v,
        settle_s=power.settle_s,
        confirm_s=power.confirm_s,
        rest_look_s=power.rest_look_s,
        rest_s_max=power.rest_s_max,
        duty_interval_s=power.duty_interval_s,
        sleep_look_s=power.sleep_look_s,
        probe_s_max=power.probe_s_max,
        blind_probe_s=power.blind_probe_s,
    ).scaled(power.system_v)
