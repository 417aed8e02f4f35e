"""The generated documents are fresh, valid, and true of real events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from common import docs, envelope, messages
from common.catalogue.audit import AlertRaised
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.instances import event_classes, events_of

ROOT = Path(__file__).parents[2]
RENDERED = docs.render()
SCHEMAS = {cls: docs.event_schema(cls) for cls in event_classes()}


def test_the_documents_are_not_stale() -> None:
    assert docs.stale(ROOT / "docs", docs.render()) == [], "run `python -m common.docs`"


def test_the_documents_are_the_same_each_time() -> None:
    assert docs.render() == RENDERED


def test_check_tells_a_stale_document_a_missing_one_and_one_too_many(tmp_path: Path) -> None:
    assert docs.main([str(tmp_path)]) == 0
    assert docs.main([str(tmp_path), "--check"]) == 0
    path = tmp_path / f"schemas/events/{AlertRaised.name}.json"
    raw = path.read_bytes()
    path.write_bytes(raw + b" ")
    assert docs.main([str(tmp_path), "--check"]) == 1
    path.unlink()
    assert docs.main([str(tmp_path), "--check"]) == 1
    path.write_bytes(raw)
    (path.parent / "gone.v1.thing.happened.json").write_text("{}")
    assert docs.main([str(tmp_path), "--check"]) == 1
    assert docs.main([str(tmp_path)]) == 0
    assert docs.main([str(tmp_path), "--check"]) == 0


@pytest.mark.parametrize("name", sorted(name for name in RENDERED if name.startswith("schemas/")))
def test_every_schema_is_a_schema(name: str) -> None:
    content = orjson.loads(RENDERED[name])
    for schema in [content] if "events/" in name else [content["request"], content["reply"]]:
        jsonschema.Draft202012Validator.check_schema(schema)
        assert content["description"]


@settings(max_examples=15, deadline=None, database=None)
@given(data=st.data())
@pytest.mark.parametrize("cls", event_classes(), ids=lambda cls: str(cls.__name__))
def test_every_event_on_the_wire_fits_its_schema(cls: type[messages.Event], data: st.DataObject) -> None:
    wire = orjson.loads(envelope.encode(data.draw(events_of(cls)), producer="test", sequence=1))
    jsonschema.Draft202012Validator(SCHEMAS[cls]).validate(wire)


def test_the_asyncapi_document_is_sound() -> None:
    document = orjson.loads(docs.render()["asyncapi.json"])
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {f"comms.{{organisation}}.{name}" for name in messages.events}
    assert {one["action"] for one in document["operations"].values()} == {"receive"}
    for reference in _references(document):
        _resolve(document, reference)


def test_the_page_names_every_event() -> None:
    page = docs.events_page()
    assert [cls for cls in event_classes() if f"`comms.<organisation>.{cls.name}`" not in page] == []


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for value in node for found in _references(value)] if isinstance(node, list) else []


def _resolve(document: Any, reference: str) -> None:
    assert reference.startswith("#/"), reference
    for part in reference[2:].split("/"):
        assert part in document, reference
        document = document[part]
