"""What stops an entry (off, Everyone: No, inactive): laid over what serves, and lifted again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from flags.document import entries
from flags.document.diff import ABSENT, Path
from flags.document.entries import Json
from flags.engine import Document
from flags.registry import sections

_OF_FLAGS: Final = ("on", "force")


def _stopped_rows(wanted: Json, serving: Json) -> Iterator[tuple[Path, str, Json, Json]]:
    """Entries of sections that one document stops and the other does not.

    Each with its path, the name that stops it where it is false, and what either says of it.
    """
    for name, tables in wanted["sections"].items():
        if name not in sections():
            continue
        stop = sections()[name].stop
        for table, rows in tables.items():
            others = serving["sections"].get(name, {}).get(table, {})
            for key, row in rows.items():
                if row.get(stop) is False and others.get(key, {}).get(stop):
                    yield ("sections", name, table, key), stop, row, others[key]


def without_stops(wanted: Json, published: Json) -> Json:
    """With entries of sections going on that the tables stop, and that what was published had."""
    document = wanted
    for path, stop, row, _ in _stopped_rows(wanted, published):
        document = entries.put(document, path, {**row, stop: True})
    return document


def with_stops(document: Json, wanted: Json) -> Any:
    """Off, Everyone: No and inactive, laid over what serves."""
    for key, flag in wanted["flags"].items():
        serving = document["flags"].get(key)
        if serving is not None and serving != flag and _is_stopped(flag):
            document = entries.put(document, ("flags", key), _stopped(serving, flag))
    for path, stop, _, serving in _stopped_rows(wanted, document):
        document = entries.put(document, path, {**serving, stop: False})
    return document


def with_waiting_stops(target: Document, waiting: Document) -> Document:
    """The target with the switches that wait, and stopped where what waits is."""
    there = {**target["switches"], **waiting["switches"]}
    document: Document = with_stops({**target, "switches": there}, dict(waiting))
    return document


def without_stop(entry: Path, value: Any) -> Any:
    """What an entry says but for whether it is stopped."""
    dropped = _stops(entry)
    if not dropped:
        return value
    return {key: each for key, each in value.items() if key not in dropped}


def _is_stopped(flag: Json) -> bool:
    is_no = flag["kind"] == "bool" and flag["force"] is not None
    return not flag["on"] or (is_no and flag["variants"].get(flag["force"]) is not True)


def _stopped(serving: Json, flag: Json) -> Json:
    """As the row would be exported: Everyone: No forces a boolean flag's false variant."""
    is_no = flag["force"] is not None and serving["kind"] == "bool"
    no = next((key for key, value in serving["variants"].items() if value is False), None)
    if is_no and no is not None:
        return {**serving, "force": no}
    return {**serving, "force": None, "on": False}


def stopped(before: Json, after: Json, held: Iterable[Path]) -> dict[Path, Json]:
    """Of the entries that are held back and were stopped, what they said of that before."""
    found: dict[Path, Json] = {}
    for entry in held:
        was, now = entries.found(before, entry), entries.found(after, entry)
        if was is not ABSENT and was != now:
            found[entry] = {name: was[name] for name in _stops(entry)}
    return found


def lifted(document: Json, stopped: Mapping[Path, Json]) -> Any:
    """The document without the stops that were laid over these entries."""
    for entry, was in stopped.items():
        value = entries.found(document, entry)
        if was and value is not ABSENT:
            document = entries.put(document, entry, {**value, **was})
    return document


def _stops(entry: Path) -> tuple[str, ...]:
    match entry:
        case ("flags", _):
            return _OF_FLAGS
        case ("sections", str(name), _, _) if name in sections():
            return (sections()[name].stop,)
    return ()
