"""`python -m common.docs [FOLDER] [--check]`: writes the catalogue down, for people and for machines.

JSON Schemas, an AsyncAPI 3.0 document of the events, and a table to read. The same catalogue gives the same bytes;
`--check` writes nothing and exits 1 when a file is stale.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from common import catalogue, envelope
from common.messages import Event, Request

Files = dict[str, bytes]

_ENVELOPE = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "description": "The same whenever the same thing is told again; use it to drop repeats."},
    "source": {"type": "string", "pattern": "^switchboard/", "description": "The producer."},
    "type": {"type": "string", "description": "The subject after the organisation."},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"const": "application/json"},
    "organisation": {"type": "string", "description": "The tenant; also the second part of the subject."},
    "sequence": {"type": "string", "description": "Dense per source, so that a reader sees what it missed."},
    "traceparent": {"type": "string", "description": "W3C trace context."},
}
_OPTIONAL = {"traceparent", "datacontenttype"}


def main(arguments: list[str] | None = None) -> int:
    """The command; gives the exit code."""
    parser = argparse.ArgumentParser(prog="common.docs", description="Write the catalogue's documents.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs"))
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is stale")
    asked = parser.parse_args(arguments)
    wanted = render()
    old = stale(asked.folder, wanted)
    if asked.check:
        sys.stderr.write("".join(f"stale: {asked.folder / name}\n" for name in old))
        return 1 if old else 0
    _write(asked.folder, wanted)
    return 0


def render() -> Files:
    """Every document by its path under the folder."""
    files = {f"schemas/events/{name}.json": _json(event_schema(cls)) for name, cls in catalogue.EVENTS.items()}
    for name, request in catalogue.REQUESTS.items():
        files[f"schemas/{request.kind}/{name}.json"] = _json(request_schema(request))
    files["asyncapi.json"] = _json(asyncapi())
    files["events.md"] = events_page().encode()
    return dict(sorted(files.items()))


def stale(folder: Path, wanted: Files) -> list[str]:
    """Documents that are missing, differ, or belong to nothing any more."""
    schemas = folder / "schemas"
    present = {str(path.relative_to(folder)) for path in schemas.rglob("*.json")} | {"asyncapi.json", "events.md"}
    return sorted(name for name in present | set(wanted) if _content(folder / name) != wanted.get(name))


def event_schema(cls: type[Event]) -> dict[str, Any]:
    """The JSON Schema of a whole event as it travels: envelope and data."""
    data = cls.model_json_schema(mode="serialization")
    definitions = data.pop("$defs", {})
    properties = _ENVELOPE | {"type": {"const": cls.name}, "data": data}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": cls.__name__,
        "description": describe(cls),
        "type": "object",
        "properties": properties,
        "required": sorted(set(properties) - _OPTIONAL),
        "$defs": definitions,
    }


def request_schema(cls: type[Request[Any]]) -> dict[str, Any]:
    """The JSON Schemas of an order or query and of its reply."""
    return {
        "title": cls.__name__,
        "description": describe(cls),
        "kind": cls.kind,
        "subject": cls.pattern(),
        "owner": cls.owner(),
        "request": cls.model_json_schema(),
        "reply": cls.reply.json_schema(mode="serialization"),
    }


def asyncapi() -> dict[str, Any]:
    """The events anyone may subscribe to, as AsyncAPI 3.0. Orders and queries are the house's own and not in it."""
    known = catalogue.EVENTS.items()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Switchboard events",
            "version": "1",
            "description": "What happened to agents, their numbers, messages and money, as CloudEvents 1.0 in "
            "structured JSON on NATS JetStream, stream EVENTS. Deliveries repeat; the id tells. Unknown fields may be "
            "added at any time.",
        },
        "defaultContentType": envelope.CONTENT_TYPE,
        "channels": {cls.__name__: _channel(cls) for _, cls in known},
        "operations": {f"receive{cls.__name__}": _operation(cls) for _, cls in known},
        "components": {
            "messages": {cls.__name__: _message(cls) for _, cls in known},
            "schemas": {cls.__name__: _portable(event_schema(cls)) for _, cls in known},
        },
    }


def events_page() -> str:
    """A page people read: each event, its subject, its meaning and its fields."""
    lines = [
        "# Events",
        "",
        "Every event is a CloudEvents 1.0 object on NATS JetStream, stream `EVENTS`, under",
        "`comms.<organisation>.<subject>`. Deliveries repeat: drop what has an `id` you have handled.",
        "Ignore fields you do not know. `docs/asyncapi.json` and `docs/schemas` say the same for machines.",
        "",
        "This page is generated from the catalogue.",
    ]
    for domain in sorted({name.partition(".")[0] for name in catalogue.EVENTS}):
        lines += ["", f"## {domain}"]
        for name, cls in catalogue.EVENTS.items():
            if name.startswith(f"{domain}."):
                lines += _event_lines(cls)
    return "\n".join(lines) + "\n"


def describe(cls: type[BaseModel]) -> str:
    """The class's own docstring; empty when it has none."""
    return inspect.cleandoc(cls.__doc__ or "") if "__doc__" in vars(cls) else ""


def _event_lines(cls: type[Event]) -> list[str]:
    schema = cls.model_json_schema(mode="serialization")
    required = set(schema.get("required", []))
    rows = [
        f"| `{name}` | {_type(field)} | {'yes' if name in required else ''} |"
        for name, field in schema.get("properties", {}).items()
    ]
    head = ["", f"### {cls.__name__}", "", f"`comms.<organisation>.{cls.name}`", "", describe(cls), ""]
    return head + (["| field | type | always there |", "|---|---|---|", *rows] if rows else ["No data of its own."])


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"`{one}`" for one in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("format") or field.get("type", "any"))


def _channel(cls: type[Event]) -> dict[str, Any]:
    return {
        "address": f"comms.{{organisation}}.{cls.name}",
        "description": describe(cls),
        "parameters": {"organisation": {"description": "The tenant; * subscribes to all."}},
        "messages": {cls.__name__: {"$ref": f"#/components/messages/{cls.__name__}"}},
    }


def _operation(cls: type[Event]) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{cls.__name__}"},
        "messages": [{"$ref": f"#/channels/{cls.__name__}/messages/{cls.__name__}"}],
    }


def _message(cls: type[Event]) -> dict[str, Any]:
    return {
        "name": cls.name,
        "title": cls.__name__,
        "summary": describe(cls),
        "contentType": envelope.CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": {"Nats-Msg-Id": {"type": "string", "description": "The event's id."}},
            "required": ["Nats-Msg-Id"],
        },
        "payload": {"$ref": f"#/components/schemas/{cls.__name__}"},
    }


def _portable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its references resolved from inside this document."""
    title = schema["title"]
    moved: dict[str, Any] = orjson.loads(
        orjson.dumps(schema).replace(b'"#/$defs/', f'"#/components/schemas/{title}/$defs/'.encode())
    )
    del moved["$schema"]
    return moved


def _json(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _write(folder: Path, wanted: Files) -> None:
    for name in stale(folder, wanted):
        path = folder / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wanted[name])


if __name__ == "__main__":
    sys.exit(main())
