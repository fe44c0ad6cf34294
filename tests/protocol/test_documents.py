"""The generated documents are current, valid, and say what the code does."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from milepost_protocol import codec, documents, limits
from milepost_protocol.frame import Encoding
from milepost_protocol.signals import catalogue
from support.batches import batch, sample

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", documents.documents())
def test_the_documents_in_the_repository_are_current(name: str) -> None:
    written = (ROOT / "docs" / "protocol" / name).read_text(encoding="utf-8")
    assert written == documents.documents()[name], "run `make contracts`"


def test_the_json_schema_accepts_what_the_codec_writes() -> None:
    _, body = codec._open(codec.encode_batch(batch(sample(1), sample(2)), Encoding.PLAIN))
    # JSON has no byte strings: the schema calls them strings of format binary.
    as_json = json.loads(json.dumps(body, default=lambda raw: raw.decode("latin-1")))
    schema = documents.batch_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(as_json, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json | {"sent": "now"}, schema)


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = documents.asyncapi()

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    for reference in references(document):
        if reference.startswith("#/"):
            node = document
            for part in reference[2:].split("/"):
                node = node[part]
        else:
            assert (ROOT / "docs" / "protocol" / reference).exists()


def test_the_overlay_is_vss_yaml_with_every_branch() -> None:
    nodes = yaml.safe_load(documents.overlay())
    leaves = {path for path, node in nodes.items() if node["type"] == "sensor"}
    assert leaves == {path for path, signal in catalogue().signals.items() if signal.is_overlay}
    for path in leaves:
        parent = path.rpartition(".")[0]
        assert parent == "Vehicle" or nodes[parent]["type"] == "branch"


def test_the_reference_page_states_the_limits_that_hold() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    for name in (
        "BATCH_BYTES_MAX",
        "BODY_BYTES_MAX",
        "BATCH_SAMPLES_MAX",
        "BATCH_COLUMNS_MAX",
        "BATCH_GAPS_MAX",
        "DOCUMENT_BYTES_MAX",
        "PROFILE_SIGNALS_MAX",
        "CONSENT_DAYS_MAX",
    ):
        assert f"| `{name}` | {getattr(limits, name):,} |" in page
