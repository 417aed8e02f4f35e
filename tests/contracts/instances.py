"""Messages of any class of the catalogue, built by hypothesis from their own schemas."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from common import catalogue, messages
from common.messages import Event
from hypothesis import strategies as st
from pydantic import BaseModel

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
_IDS = st.from_regex(r"[a-z0-9_]{1,32}", fullmatch=True)


def event_classes() -> list[type[Event]]:
    return [cls for _, cls in catalogue.EVENTS.items()]


def request_classes() -> list[type[messages.Request[Any]]]:
    return [cls for _, cls in catalogue.REQUESTS.items()]


def events_of(cls: type[Event]) -> st.SearchStrategy[Event]:
    data = {name: value for name, value in _fields(cls).items() if name not in Event.model_fields}
    common: dict[str, st.SearchStrategy[Any]] = {"id": _IDS, "organisation": _IDS, "time": _TIMES}
    return st.fixed_dictionaries(common | data).map(cls.model_validate)


def _fields(cls: type[BaseModel]) -> dict[str, st.SearchStrategy[Any]]:
    schema = cls.model_json_schema()
    definitions = schema.get("$defs", {})
    return {name: _value(field, definitions) for name, field in schema.get("properties", {}).items()}


def _value(field: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in field:
        return _value(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in field:
        return st.one_of(*(_value(one, definitions) for one in field["anyOf"]))
    if "enum" in field:
        return st.sampled_from(field["enum"])
    if "const" in field:
        return st.just(field["const"])
    return _plain(field, definitions)


def _plain(field: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    kind = field.get("type")
    if kind == "object":
        parts = {name: _value(one, definitions) for name, one in field.get("properties", {}).items()}
        return st.fixed_dictionaries(parts)
    if kind == "array":
        return st.lists(_value(field["items"], definitions), min_size=field.get("minItems", 0), max_size=3)
    if kind == "string" and "format" in field:
        return _TIMES.map(lambda moment: moment.isoformat() if field["format"] == "date-time" else str(moment.date()))
    if kind == "string":
        return _TEXT.filter(lambda text: len(text) >= field.get("minLength", 0))
    if kind == "number":
        return st.floats(field.get("minimum", 0), field.get("maximum", 1e6), allow_nan=False)
    simple = {"boolean": st.booleans(), "null": st.none()}
    return simple.get(str(kind), st.integers(field.get("minimum", -(2**53)), field.get("maximum", 2**53)))
