"""What serves of tables that do not check: each entry as they say, or as it was last published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from flags.document import check, entries, stops
from flags.document.diff import ABSENT, Path
from flags.document.entries import Json
from flags.document.stops import stopped, with_stops, without_stops
from flags.engine import Document
from flags.engine.problems import Problem, parts
from flags.registry import sections


class Settled(NamedTuple):
    """A document that is sound, and why entries in it are held back: not as the tables say.

    `stopped` says of entries that the tables stop what they would say of that themselves.
    """

    document: Document
    held: dict[Path, Problem]
    stopped: Mapping[Path, Json] = MappingProxyType({})


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
    document = with_stops(settling.document, wanted)
    return Settled(document, settling.held, stopped(settling.document, document, settling.held))


def with_waiting_stops(target: Document, waiting: Document) -> Document:
    """The target with the switches that wait, and stopped where what waits is.

    A switch that the target refuses, as of something that it lacks, would stop nothing in it.
    """
    document: Document = stops.with_waiting_stops(target, waiting)
    paths = [parts(fault["path"]) for fault in check.faults(document)]
    refused = {path[1] for path in paths if path[:1] == ("switches",)} - target["switches"].keys()
    kept = {name: on for name, on in document["switches"].items() if name not in refused}
    return {**document, "switches": kept}


class _Settling:
    def __init__(self, wanted: Json, published: Document) -> None:
        self.published: Json = dict(published)
        self.wanted = without_stops(wanted, self.published)
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
