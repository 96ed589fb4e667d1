"""What is told of one thing that is wrong with a catalogue section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from typing_extensions import TypedDict

from igny8_core.catalogue.section import moment_of


class SectionProblem(TypedDict):
    """What is wrong with it: a JSON pointer into the document, what stands there, a sentence."""

    path: str
    value: str | float | bool | None
    message: str
    code: str


def problem(path: Iterable[str | int], value: object, sentence: str, code: str) -> SectionProblem:
    shown = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    text = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return {"path": text, "value": shown, "message": sentence, "code": code}


NO_MOMENT: Final = "{0!r} is no moment: write it as 2026-12-31T18:00:00.000000Z."


def is_moment(text: str) -> bool:
    try:
        moment_of(text)
    except ValueError:
        return False
    return True
