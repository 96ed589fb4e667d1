"""What serves of tables that do not check: each entry as they say, or as it was last published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from flags.document import check, entries
from flags.document.diff import ABSENT, Path
from flags.document.entries import Json
from flags.engine import Document
from flags.engine.problems import Problem, parts
from flags.registry import sections


class Settled(NamedTuple):
    """A document that is sound, and why entries in it are held back: not as the tables say."""

    document: Document
    held: dict[Path, Problem]


def settle(wanted: Json, published: Document) -> Settled:
    """Every changed entry that a fault names is put back to what was published, until it checks.

    Where the faults name none that has changed, the change that they come from is looked for. What
    the tables stop is stopped also where it is put back; a stop by itself is no fault.
    """
    settling = _Settling(wanted, published)
    while faults := settling.faults(settling.document):
        if not (settling.put_back_named(faults) or settling.put_back_cause(faults[0])):
            break
    settling.take_again()
    return Settled(with_stops(settling.document, wanted), settling.held)


class _Settling:
    def __init__(self, wanted: Json, published: Document) -> None:
        self.published: Json = dict(published)
        self.wanted = _without_stops(wanted, self.published)
        self.document = self.wanted
        self.held: dict[Path, Problem] = {}
        self._borne: set[Identity] | None = None
        self._together: list[list[Path]] = []
        self._was_searched = False

    def faults(self, document: Json) -> Sequence[Problem]:
        """Those that what is published has not."""
        found = check.faults(document)
        if found and self._borne is None:
            self._borne = {identity(each) for each in check.faults(self.published)}
        return [each for each in found if identity(each) not in (self._borne or ())]

    def put_back_named(self, faults: Iterable[Problem]) -> bool:
        changed = set(entries.changed(self.published, self.document))
        reasons: dict[Path, Problem] = {}
        for fault in faults:
            path = parts(fault["path"])
            named = [entry for entry in changed if path[: len(entry)] == entry]
            if named:  # a single price rather than its model
                reasons.setdefault(max(named, key=len), fault)
        for entry, fault in reasons.items():
            self._put_back(entry, fault)
        return bool(reasons)

    def put_back_cause(self, fault: Problem) -> bool:
        """The first of the changes without which the fault is not there; or the last."""
        self._was_searched = True
        changed = entries.changed(self.published, self.document)
        this = identity(fault)

        def is_healed(count: int) -> bool:
            document = _put(self.document, changed[:count], self.published)
            return this not in map(identity, self.faults(document))

        few, many = 0, len(changed)
        while many - few > 1 and is_healed(many):
            middle = (few + many) // 2
            if is_healed(middle):
                many = middle
            else:
                few = middle
        for entry in changed[many - 1 : many]:
            self._put_back(entry, fault)
        return bool(changed)

    def take_again(self) -> None:
        """What a fault named because of another change need not be held back."""
        if not self._was_searched:
            return
        for together in self._together:
            document = _put(self.document, together, self.wanted)
            if not self.faults(document):
                self.document = document
                for entry in together:
                    self.held.pop(entry, None)

    def _put_back(self, entry: Path, fault: Problem) -> None:
        together = [entry, *self._partners(entry)]
        self._together.append(together)
        self.document = _put(self.document, together, self.published)
        for each in together:
            self.held.setdefault(each, fault)

    def _partners(self, entry: Path) -> list[Path]:
        match entry:
            case ("sections", str(name), str(table), str(key)) if name in sections():
                now, before = (
                    entries.found(side, entry[:3]) for side in (self.document, self.published)
                )
                sides = [{} if side is ABSENT else side for side in (now, before)]
                return [
                    ("sections", name, table, other)
                    for other in sections()[name].partners(table, key, *sides)
                ]
        return []


def _put(document: Json, paths: Iterable[Path], source: Json) -> Json:
    """The document with the entries as the source has them."""
    for path in paths:
        document = entries.put(document, path, entries.found(source, path))
    return document


Identity = tuple[str, str, object]


def identity(fault: Problem) -> Identity:
    """What makes two faults the same."""
    return fault["path"], fault["code"], fault["value"]


def _tables(document: Json) -> Iterable[tuple[Path, str, Json]]:
    """The tables of its sections: their paths, the key whose False stops, and their entries."""
    for name, section in document["sections"].items():
        if name in sections():
            for table, rows in section.items():
                yield ("sections", name, table), sections()[name].stop, rows


def _without_stops(wanted: Json, published: Json) -> Json:
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
    match entry:
        case ("flags", _):
            dropped = {"on", "force"}
        case ("sections", str(name), _, _) if name in sections():
            dropped = {sections()[name].stop}
        case _:
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
