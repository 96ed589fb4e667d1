"""Where on a form a refused document is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

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
        return f"{'/'.join(self.parts)}: {self.message}" if self.parts else self.message


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
        for problem in each:
            form.add_error(field if field in form.fields else otherwise, str(problem))


# A problem that a row below the form shows.
ON_ROWS: Final = "\0on rows"
