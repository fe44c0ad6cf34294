"""The documents that are generated from the schema and the catalogue, for readers in other languages.

``python -m milepost_protocol.documents docs/protocol`` writes them; a test holds them current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from milepost_protocol import limits, topics
from milepost_protocol.frame import HEADER_BYTES, MAJOR
from milepost_protocol.identity import DEVICE_ID_PATTERN
from milepost_protocol.schema import WireBody
from milepost_protocol.signals import OVERLAY_PREFIX, Signal, catalogue

REFERENCE = "https://json-schema.org/draft/2020-12/schema"


def batch_schema() -> dict[str, Any]:
    """JSON Schema of a batch's body; its ``format: binary`` strings are MessagePack's bin type."""
    schema = WireBody.model_json_schema(ref_template="#/$defs/{model}")
    return {"$schema": REFERENCE, "$id": f"milepost-batch-body-v{MAJOR}.json", **schema}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3 document of the device contract."""
    device = {
        "device": {
            "description": f"Device id, {DEVICE_ID_PATTERN}; it is also the MQTT user name.",
        }
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Milepost device contract",
            "version": f"{MAJOR}.0.0",
            "description": "MQTT 3.1.1, QoS 1 up, QoS 0 down. The reference is docs/protocol.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/octet-stream",
        "channels": {
            "up": {
                "address": topics.up("DEVICE").replace("DEVICE", "{device}"),
                "parameters": device,
                "messages": {"batch": {"$ref": "#/components/messages/batch"}},
            },
            "ack": {
                "address": topics.ack("DEVICE").replace("DEVICE", "{device}"),
                "parameters": device,
                "messages": {"receipt": {"$ref": "#/components/messages/receipt"}},
            },
        },
        "operations": {
            "publishBatch": _operation("send", "up", "batch", topics.UP_QOS),
            "receiveReceipt": _operation("receive", "ack", "receipt", topics.ACK_QOS),
        },
        "components": {"messages": {"batch": _batch_message(), "receipt": _receipt_message()}},
    }


def _operation(action: str, channel: str, message: str, qos: int) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
        "bindings": {"mqtt": {"qos": qos, "retain": False, "bindingVersion": "0.2.0"}},
    }


def _batch_message() -> dict[str, Any]:
    return {
        "name": "batch",
        "summary": "Samples of a contiguous range of seqs, and the gaps in it.",
        "description": (
            f"{HEADER_BYTES} bytes of frame, then the body: MessagePack, compressed as the frame says. "
            f"At most {limits.BATCH_BYTES_MAX} bytes, {limits.BODY_BYTES_MAX} expanded, "
            f"{limits.BATCH_SAMPLES_MAX} samples. The schema is that of the body."
        ),
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./batch-v{MAJOR}.schema.json"},
        },
    }


def _receipt_message() -> dict[str, Any]:
    return {
        "name": "receipt",
        "summary": "All samples of (device, epoch) up to a seq are durably stored.",
        "description": "Fixed binary fields; see docs/protocol.md.",
        "payload": {"type": "string", "format": "binary", "minLength": 24, "maxLength": 24 + 16 * 16},
    }


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
