"""The settings of power as the policy wants them: in the volts of the car's system."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class PowerLimits:
    """See the settings of [power] for each; voltages are those of a 12 V system until ``scaled``.

    ``deepest_is_rest`` keeps a source that nobody oversees from being closed.
    """

    is_enabled: bool = True
    standing_s_max: float = 300.0
    charging_v: float = 13.0
    saving_v: float = 12.2
    sleep_v: float = 11.8
    critical_v: float = 11.0
    hysteresis_v: float = 0.2
    settle_s: float = 1_800.0
    confirm_s: float = 600.0
    rest_look_s: float = 1.0
    rest_s_max: float = 259_200.0
    duty_interval_s: float = 900.0
    sleep_look_s: float = 900.0
    probe_s_max: float = 900.0
    blind_probe_s: float = 300.0
    step_v: float = 0.3
    plausible_v: tuple[float, float] = (8.0, 17.0)
    deepest_is_rest: bool = False

    def scaled(self, system_v: int) -> PowerLimits:
        """The same for a system of ``system_v`` volts: 24 V are two batteries of 12 V in a row."""
        times = system_v / 12
        low_v, high_v = self.plausible_v
        return replace(
            self,
            charging_v=self.charging_v * times,
            saving_v=self.saving_v * times,
            sleep_v=self.sleep_v * times,
            critical_v=self.critical_v * times,
            hysteresis_v=self.hysteresis_v * times,
            step_v=self.step_v * times,
            plausible_v=(low_v * times, high_v * times),
        )
