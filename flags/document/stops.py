"""What stops an entry (off, Everyone: No, inactive): laid over what serves, and lifted again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flags.document import entries
from flags.document.diff import ABSENT, Path
from flags.document.entries import Json
from flags.engine import Document
from flags.registry import sections

_OF_FLAGS: Final = ("on", "force")


def _tables(document: Json) -> Iterable[tuple[Path, str, Json]]:
    """The tables of its sections: their paths, the key whose False stops, and their entries."""
    for name, section in document["sections"].items():
        if name in sections():
            for table, rows in section.items():
                yield ("sections", name, table), sections()[name].stop, rows


def without_stops(wanted: Json, published: Json) -> Json:
    """With entries of sections going on that the tables stop, and that what was published had."""
    document = wanted
    for path, stop, rows in _tables(wanted):
        before = entries.found(published, path)
        for key, row in rows.items():
            was = ABSENT if before is ABSENT else before.get(key, ABSENT)
            if row.get(stop) is False and was is not ABSENT and was.get(stop):
                document = entries.put(document, (*path, key), {**row, stop: True})
    return document


def with_stops(document: Json, wanted: Json) -> Any:
    """Off, Everyone: No and inactive, laid over what serves."""
    for key, flag in wanted["flags"].items():
        serving = document["flags"].get(key)
        if serving is not None and serving != flag and _is_stopped(flag):
            document = entries.put(document, ("flags", key), _stopped(serving, flag))
    for path, stop, rows in _tables(wanted):
        serving_rows = entries.found(document, path)
        for key, row in rows.items():
            serving = ABSENT if serving_rows is ABSENT else serving_rows.get(key, ABSENT)
            if row.get(stop) is False and serving is not ABSENT and serving.get(stop):
                document = entries.put(document, (*path, key), {**serving, stop: False})
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
