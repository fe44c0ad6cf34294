"""Settings of entries by hand."""

from __future__ import annotations

from dataclasses import dataclass

from milepost_agent.setting import setting

PEERS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """[entry]: odometer readings and services that a person enters at the car."""

    socket: str = setting(
        "Unix socket for `milepost-agent enter`; a name alone lies beside [health] socket; empty: none",
        "entry.sock",
        "characters",
        0,
        103,
    )
    users: tuple[str, ...] = setting(
        "who may enter, by name or number; with groups empty, too: whoever may open the socket",
        (),
        "users",
        0,
        PEERS_MAX,
    )
    groups: tuple[str, ...] = setting(
        "whose members may enter, by name or number; the main group of the asking process counts",
        (),
        "groups",
        0,
        PEERS_MAX,
    )
