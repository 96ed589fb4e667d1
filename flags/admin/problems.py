"""Where on a form a refused document is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from flags.document.entries import entry_text
from flags.engine import DocumentError
from flags.engine.problems import parts


class PlacedProblem(NamedTuple):
    """Where a refused document is wrong, by its path's parts, and the sentence."""

    parts: tuple[str, ...]
    message: str

    def within(self, *parts: str) -> PlacedProblem | None:
        """The problem with its path below these parts, where it is there."""
        if self.parts[: len(parts)] != parts:
            return None
        return PlacedProblem(self.parts[len(parts) :], self.message)

    def __str__(self) -> str:
        return f"{within_text(self.parts)}: {self.message}" if self.parts else self.message


_SHOWN: Final = 3
# By the field of a form that they are about; None: the form itself.
Placed = Mapping[str | None, Iterable[PlacedProblem]]


def problems_of(error: Exception) -> list[PlacedProblem]:
    """One for each problem of a document that was refused; any other error is its sentence."""
    if not isinstance(error, DocumentError):
        return [PlacedProblem((), str(error))]
    return [PlacedProblem(parts(each["path"]), each["message"]) for each in error.errors]


def show(form: Any, problems: Placed, otherwise: str | None = None) -> None:
    """Each on its field; what is about no field of the form on the one `otherwise`."""
    for field, each in problems.items():
        if field in form.fields:
            for problem in each:
                form.add_error(field, str(problem))
        else:
            for sentence in sentences(each):
                form.add_error(otherwise, sentence)


def sentences(problems: Iterable[PlacedProblem]) -> list[str]:
    """For people: where in words, and what many places have in common once."""
    places: dict[str, list[str]] = {}
    for problem in problems:
        found = places.setdefault(problem.message, [])
        if problem.parts and (place := place_text(problem.parts)) not in found:
            found.append(place)
    return [_sentence(message, found) for message, found in places.items()]


def _sentence(message: str, places: list[str]) -> str:
    if len(places) <= 1:
        return f"{places[0]}: {message}" if places else message
    others = len(places) - _SHOWN
    more = f" and {others:,} other{'s' * (others > 1)}" if others > 0 else ""
    return f"{message} In {', '.join(places[:_SHOWN])}{more}."


def within_text(parts: tuple[str, ...]) -> str:
    """Where in a field's JSON: `Entry 1, value 2`, `Split`."""
    words: list[str] = []
    for part in parts:
        if not part.isdecimal():
            words.append(part)
        elif words[-1:] == ["values"]:
            words[-1] = f"value {int(part) + 1}"
        else:
            words.append(f"entry {int(part) + 1}")
    text = ", ".join(words)
    return text[:1].upper() + text[1:]


def place_text(parts: tuple[str, ...]) -> str:
    """`rule 1 of flag f`; `price 2026-12-01T00:00:00Z of model m`."""
    match parts:
        case ("flags", flag, "rules", index, *_):
            return f"rule {int(index) + 1} of flag {flag}"
        case ("flags", flag, "variants", variant, *_):
            return f"variant {variant} of flag {flag}"
        case ("sections", _, _, _, str(inner), str(key), *_) if key:
            return entry_text(parts[:6]) if inner == "prices" else entry_text(parts[:4])
        case ("sections", *_):
            return entry_text(parts[:4])
    return entry_text(parts[:2])


# A problem that a row below the form shows.
ON_ROWS: Final = "\0on rows"
