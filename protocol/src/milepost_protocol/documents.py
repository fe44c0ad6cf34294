"""The documents that are generated from the schema and the catalogue, for readers in other languages.

``python -m milepost_protocol.documents docs/protocol`` writes them; a test holds them current.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from milepost_protocol.asyncapi import asyncapi
from milepost_protocol.device_schema import State, WireDesired, WireReported
from milepost_protocol.frame import MAJOR
from milepost_protocol.schema import WireBody
from milepost_protocol.signals import OVERLAY_PREFIX, Catalogue, Signal, catalogue

REFERENCE = "https://json-schema.org/draft/2020-12/schema"


def batch_schema() -> dict[str, Any]:
    """JSON Schema of a batch's body; its ``format: binary`` strings are MessagePack's bin type."""
    schema = WireBody.model_json_schema(ref_template="#/$defs/{model}")
    return {"$schema": REFERENCE, "$id": f"milepost-batch-body-v{MAJOR}.json", **schema}


def device_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas of the documents beside the stream, by channel."""
    template = "#/$defs/{model}"
    schemas = {
        "state": State.json_schema(ref_template=template),
        "config": WireDesired.model_json_schema(ref_template=template),
        "reported": WireReported.model_json_schema(ref_template=template),
    }
    return {
        name: {"$schema": REFERENCE, "$id": f"milepost-{name}-v{MAJOR}.json", **schema}
        for name, schema in schemas.items()
    }


def digest(known: Catalogue) -> str:
    """What ``digest`` in catalogue.toml must be; it stands there so that no agent loads a hash function."""
    rows = [
        f"{s.path} {s.datatype} {s.unit} {s.signal_class} {s.per_unit} {s.minimum} {s.maximum}"
        for s in known.signals.values()
    ]
    return hashlib.sha256("\n".join([known.vss, *sorted(rows)]).encode()).hexdigest()[:16]


def overlay() -> str:
    """Our signals beyond VSS, as an overlay file in the VSS format."""
    lines = [
        "# Signals that VSS does not have, as a VSS overlay. Generated from catalogue.toml.",
        "",
    ]
    known = [signal for signal in catalogue().signals.values() if signal.is_overlay]
    lines += [line for branch in sorted(_branches(known)) for line in (f"{branch}:", "  type: branch", "")]
    for signal in known:
        lines += [f"{signal.path}:", "  type: sensor", f"  datatype: {signal.datatype}"]
        lines += [f"  unit: {signal.unit}"] if signal.unit else []
        lines += [f"  description: {json.dumps(signal.description)}", ""]
    return "\n".join(lines)


def _branches(signals: list[Signal]) -> set[str]:
    parts = [signal.path.split(".") for signal in signals]
    branches = {".".join(path[:depth]) for path in parts for depth in range(2, len(path))}
    return {branch for branch in branches if (branch + ".").startswith(OVERLAY_PREFIX)}


def signal_table() -> str:
    """The catalogue as a Markdown table."""
    rows = [
        "| signal | datatype | unit | class | steps a unit | meaning |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| `{signal.path}` | {signal.datatype} | {signal.unit or '-'} | {signal.signal_class} "
        f"| {'-' if signal.is_text else signal.per_unit} | {signal.description} |"
        for signal in catalogue().signals.values()
    ]
    return "\n".join(
        ["# Signals", "", "Generated from `catalogue.toml`; see docs/protocol.md.", "", *rows, ""]
    )


def documents() -> dict[str, str]:
    """All generated documents by file name."""
    return {
        f"batch-v{MAJOR}.schema.json": json.dumps(batch_schema(), indent=2) + "\n",
        **{
            f"{name}-v{MAJOR}.schema.json": json.dumps(schema, indent=2) + "\n"
            for name, schema in device_schemas().items()
        },
        "asyncapi.json": json.dumps(asyncapi(), indent=2) + "\n",
        "overlay.vspec": overlay(),
        "signals.md": signal_table(),
    }


def main(folder: str) -> None:
    """Write all documents into ``folder``."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (target / name).write_text(text, encoding="utf-8")
        print(f"wrote {target / name}")


if __name__ == "__main__":
    main(sys.argv[1])
