"""Settings of a databroker source."""

from __future__ import annotations

from typing import Final

from milepost_agent.sources.settings import SourceSetting

ALL_PATHS: Final = "*"

KUKSA_SETTINGS: Final = (
    SourceSetting("address", "127.0.0.1:55555", "host and port of the databroker"),
    SourceSetting("ca_file", "", "certificates (PEM) to trust; given, the connection is encrypted"),
    SourceSetting("cert_file", "", "the agent's own certificate (PEM), where the broker asks for one"),
    SourceSetting("key_file", "", "the key of cert_file (PEM)"),
    SourceSetting("server_name", "", "the name in the broker's certificate, where it is not that of address"),
    SourceSetting("token_file", "", "file with the token (JWT), readable by the agent's user only"),
    SourceSetting(
        "paths",
        ALL_PATHS,
        "signals to subscribe to, with blanks between; *: all of the catalogue that it has",
    ),
)
