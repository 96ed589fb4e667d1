"""JSON text, or an object that JSON can hold, within the document's limits."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, Final

from flags.engine.bucketing import encoded
from flags.engine.problems import MAX_INTEGER, Code, Path, Problems

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_VALUES: Final = 2_000_000
MAX_ITEMS: Final = 10_000
MAX_ENTRIES: Final = 100_000
MAX_CONTAINERS: Final = 300_000
MAX_DEPTH: Final = 100
# A string that is not closed is one too, up to the end: so every text is read once.
_STRING: Final = re.compile(rb'(?s)"(?:[^"\\]|\\.)*+"?')


class _Twice:
    """Stands where a JSON object has the same key twice."""


def load(text: str | bytes | bytearray, problems: Problems) -> object:
    """What the JSON text says; a key that is there twice is marked for `check_plain`."""
    data = encoded(text) if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        problems.stop(Code.TOO_BIG, (), None, limit=f"{MAX_BYTES} bytes")
    if _is_crowded(data) and _is_crowded(_STRING.sub(b"", data)):
        limits = f"{MAX_CONTAINERS} lists and objects, or {MAX_VALUES} values"
        problems.stop(Code.TOO_BIG, (), None, limit=limits)
    try:
        return json.loads(
            text if isinstance(text, str) else text.decode(), object_pairs_hook=_object
        )
    except RecursionError:
        problems.stop(Code.TOO_DEEP, (), None, limit=MAX_DEPTH)
    except UnicodeDecodeError as error:
        problems.stop(Code.NOT_JSON, (), None, why=f"{error.reason} at byte {error.start}")
    except json.JSONDecodeError as error:
        at = f"{error.msg} at line {error.lineno}, column {error.colno}"
        problems.stop(Code.NOT_JSON, (), None, why=at)
    except ValueError:  # more digits than Python reads
        problems.stop(Code.INTEGER_TOO_BIG, (), "an integer of thousands of digits")


def _is_crowded(data: bytes | bytearray) -> bool:
    containers = data.count(b"{") + data.count(b"[")
    return containers > MAX_CONTAINERS or data.count(b",") > MAX_VALUES


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found[key] = _Twice()
            seen.add(key)
    return found


def check_plain(value: object, problems: Problems) -> None:
    """Only plain JSON values, and no more of them than a document may have."""
    _Walk(problems).check(value, ())


class _Walk:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._values_left = MAX_VALUES
        self._containers_left = MAX_CONTAINERS
        self._bytes_left = MAX_BYTES

    def check(self, value: Any, path: Path) -> None:
        kind = type(value)
        if kind is str:
            self._text(value, path)
        elif kind is list or kind is dict:
            self._container(value, path)
        elif kind is int:
            if not -MAX_INTEGER <= value <= MAX_INTEGER:
                self._problems.add(Code.INTEGER_TOO_BIG, path, value)
        elif kind is float:
            if not isfinite(value):
                self._problems.add(Code.NOT_FINITE, path, value)
        elif kind is _Twice:
            self._problems.add(Code.DUPLICATE_KEY, path, path[-1])
        elif value is not None and kind is not bool:
            is_like_json = isinstance(value, dict | list | str | int | float)
            named = f"a Python {kind.__name__}" if is_like_json else value
            self._problems.add(Code.NOT_PLAIN, path, named)

    def _text(self, value: str, path: Path, *last: str | int) -> None:
        self._bytes_left -= len(value) if value.isascii() else len(encoded(value))
        if self._bytes_left < 0:
            self._problems.stop(Code.TOO_BIG, (*path, *last), None, limit=f"{MAX_BYTES} bytes")
        if "\0" in value or not (value.isascii() or _is_encodable(value)):
            self._problems.add(Code.BAD_CHARACTER, (*path, *last), value)

    def _container(self, value: Any, path: Path) -> None:
        self._values_left -= len(value)
        self._containers_left -= 1
        if self._values_left < 0:
            self._problems.stop(Code.TOO_BIG, path, None, limit=f"{MAX_VALUES} values")
        if self._containers_left < 0:
            limit = f"{MAX_CONTAINERS} lists and objects"
            self._problems.stop(Code.TOO_BIG, path, None, limit=limit)
        elif len(path) == MAX_DEPTH:
            self._problems.add(Code.TOO_DEEP, path, value, limit=MAX_DEPTH)
        elif len(value) > _most_items(path):
            self._problems.add(Code.TOO_LONG, path, value, limit=_most_items(path))
        elif type(value) is list:
            for index, item in enumerate(value):
                if type(item) is str:
                    self._text(item, path, index)
                else:
                    self.check(item, (*path, index))
        else:
            for key, item in value.items():
                if type(key) is str:
                    self._text(key, path, key)
                    self.check(item, (*path, key))
                else:
                    self._problems.add(Code.KEY_NOT_TEXT, path, key)


def _most_items(path: Path) -> int:
    return MAX_ENTRIES if path[:1] == ("sections",) else MAX_ITEMS


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
