"""Whether a plain value has the document's shape."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from flags.engine.document import TAGS, Document, Flag, Key, Segment
from flags.engine.problems import Code, Path, Problems

_DOCUMENT: Final = TypeAdapter[Document](Document)
_KEY: Final = TypeAdapter[str](Key)
_ENTRIES: Final[dict[str, TypeAdapter[Any]]] = {
    "segments": TypeAdapter(Segment),
    "flags": TypeAdapter(Flag),
}
_CODES: Final = {
    "missing": Code.MISSING,
    "extra_forbidden": Code.UNKNOWN_KEY,
    "literal_error": Code.NOT_SUPPORTED,
    "string_pattern_mismatch": Code.MALFORMED,
    "string_too_short": Code.EMPTY,
    "too_short": Code.EMPTY,
    "string_too_long": Code.TOO_LONG,
    "greater_than_equal": Code.OUT_OF_RANGE,
    "less_than_equal": Code.OUT_OF_RANGE,
    "union_tag_not_found": Code.UNKNOWN_OPERATOR,
}
# What pydantic says in Python's words.
_WANTED: Final = {
    "dict_type": "an object is wanted, {…}",
    "list_type": "a list is wanted, […]",
    "string_type": "a text is wanted",
    "bool_type": "true or false is wanted",
    "int_type": "a whole number is wanted",
    "float_type": "a number is wanted",
}


def json_schema() -> dict[str, Any]:
    """The document's JSON Schema."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    schema: dict[str, Any] = _closed({"$schema": dialect, **_DOCUMENT.json_schema()})
    return schema


def _closed(schema: Any) -> Any:
    """Objects whose keys have a pattern have no others."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    return {**closed, "additionalProperties": False} if "patternProperties" in closed else closed


def check_shape(value: object, problems: Problems) -> None:
    """Entry by entry, so that a hostile document is left at its hundredth problem."""
    if not isinstance(value, dict):
        _check(_DOCUMENT, value, (), problems)
        return
    entries = {name: value[name] for name in _ENTRIES if isinstance(value.get(name), dict)}
    _check(_DOCUMENT, {**value, **{name: {} for name in entries}}, (), problems)
    for name, section in entries.items():
        for key, entry in section.items():
            _check(_KEY, key, (name, key), problems)
            _check(_ENTRIES[name], entry, (name, key), problems)


def _check(adapter: TypeAdapter[Any], value: object, at: Path, problems: Problems) -> None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            _add(fault, at, problems)


def _add(fault: ErrorDetails, at: Path, problems: Problems) -> None:
    code = _CODES.get(fault["type"], Code.WRONG_TYPE)
    value, loc = fault["input"], fault["loc"]
    if loc[-1:] == ("[key]",) and loc[-2] == value:
        loc = loc[:-1]
    path = (*at, *(part for part in loc if part not in TAGS))
    if code is Code.UNKNOWN_OPERATOR:
        path = (*path, "op")
        code, value = (code, value["op"]) if "op" in value else (Code.MISSING, None)
    elif code is Code.MISSING:
        value = None
    limit = fault.get("ctx", {}).get("max_length")
    why = _WANTED.get(fault["type"], fault["msg"])
    problems.add(code, path, value, key=path[-1] if path else "", why=why, limit=limit)
