"""A desired configuration over the device's own: checked as the file is, taken whole or refused. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from milepost_agent.config import check_rule, check_value, check_whole
from milepost_agent.consent import time_text
from milepost_agent.errors import ConfigError
from milepost_agent.settings import Consent, settings
from milepost_protocol.samples import TimeTrust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.clock import ClockReading
    from milepost_agent.settings import Config
    from milepost_protocol.desired import Desired, Profile, Scalar


def settable() -> tuple[str, ...]:
    """The settings that a server may set, as ``section.name``."""
    return tuple(setting.key for setting in settings() if setting.is_remote)


def laid_over(local: Config, desired: Desired) -> Config:
    """``local`` with what ``desired`` sets; a profile of it takes the place of the file's own.

    Raises:
        ConfigError: a setting that may not be set from afar, a value that it cannot have, or a profile that
            names what no profile may.
    """
    changes: dict[str, Any] = {
        section: _section(local, section, table) for section, table in desired.settings.items()
    }
    if desired.profile is not None:
        changes |= _profile(desired.profile)
    config = dataclasses.replace(local, **changes)
    check_whole(config)
    return config


def _section(local: Config, section: str, table: Mapping[str, Scalar]) -> object:
    known = {setting.name: setting for setting in settings() if setting.section == section}
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known or not known[name].is_remote:
            why = "cannot be set from afar" if name in known else "is no setting"
            raise ConfigError(f"{section}.{name}", f"{why}; there are {', '.join(settable())}")
        values[name] = check_value(known[name], value)
    if not known:
        raise ConfigError(section, f"is no section; settings are {', '.join(settable())}")
    return dataclasses.replace(getattr(local, section), **values)


def _profile(profile: Profile) -> dict[str, Any]:
    consent = profile.consent
    return {
        "profile": {signal: check_rule(signal, rule) for signal, rule in profile.rules.items()},
        "consent": Consent(
            profile=profile.name,
            owner=consent.owner,
            granted_at=time_text(consent.granted_ms),
            expires_at=time_text(consent.expires_ms),
        ),
    }


def check_consent(desired: Desired, now: ClockReading) -> None:
    """Check that the consent to a profile that is new to this device is not over already.

    By a clock that nobody trusts this cannot be told: the profile waits then.

    Raises:
        ConfigError: it is over.
    """
    profile = desired.profile
    if profile is None or now.trust is TimeTrust.UNTRUSTED:
        return
    if profile.consent.expires_ms <= now.wall_ms:
        ended = time_text(profile.consent.expires_ms)
        raise ConfigError(
            "profile.consent", f"ended at {ended}; ask the owner again, or leave the profile out"
        )


def effective(config: Config, desired: Desired) -> dict[str, dict[str, Scalar]]:
    """What now holds of that which ``desired`` sets."""
    return {
        section: {name: getattr(getattr(config, section), name) for name in table}
        for section, table in desired.settings.items()
    }
