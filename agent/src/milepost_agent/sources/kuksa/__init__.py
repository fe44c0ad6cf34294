"""Kuksa: the signals of a databroker (kuksa.val.v2, or v1 where that is all it speaks), read by subscription.

::

    session    connect, ask what there is, listen      mapping    which signal is which of ours, in what unit
    broker     one connection: describe, updates       units      factors between units
    dial       where it is, certificates, token

The left column does I/O and holds no formula, the right one is pure. gRPC is loaded when a ``[[source]]`` of
this kind is opened, not before. The broker is only read: nothing is published, and no actuator is moved.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost_agent.backoff import Backoff
from milepost_agent.errors import SourceConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milepost_agent.sources.kuksa.session import KuksaSource
    from milepost_agent.sources.settings import SettingValue

__all__ = ["open_kuksa"]

EXTRA: Final = ("grpc", "kuksa")
"""What the extra milepost-agent[kuksa] brings."""


def open_kuksa(settings: Mapping[str, SettingValue], jitter: Callable[[], float]) -> KuksaSource:
    """A databroker source from its settings; it is not connected yet, but the files that it names are read.

    Raises:
        SourceConfigError: gRPC is missing, or a setting that cannot be.
    """
    from importlib.util import find_spec  # noqa: PLC0415  (all below is for an agent with a databroker alone)

    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise SourceConfigError(
            "kind",
            f'"kuksa" needs {" and ".join(missing)}; install the extra: pip install "milepost-agent[kuksa]"',
        )
    from milepost_agent.sources.kuksa.broker import connected  # noqa: PLC0415  (brings gRPC)
    from milepost_agent.sources.kuksa.dial import Dial  # noqa: PLC0415
    from milepost_agent.sources.kuksa.mapping import wanted_paths  # noqa: PLC0415
    from milepost_agent.sources.kuksa.session import KuksaSource  # noqa: PLC0415

    dial = Dial(
        address=str(settings["address"]),
        ca_file=_file(settings["ca_file"]),
        cert_file=_file(settings["cert_file"]),
        key_file=_file(settings["key_file"]),
        server_name=str(settings["server_name"]),
        token_file=_file(settings["token_file"]),
    )
    dial.check()
    return KuksaSource(lambda: connected(dial), wanted_paths(str(settings["paths"])), Backoff(jitter))


def _file(setting: SettingValue) -> Path | None:
    return Path(str(setting)) if setting else None
