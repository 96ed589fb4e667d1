"""What the registered guards say of the step from one document to another."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from flags.document.stops import with_stops
from flags.engine import Document
from flags.registry import Progress, Unfinished, guards

logger = logging.getLogger(__name__)

# How long the guards may look before an operator is asked; a stop waits less.
_LOOKS_S: Final = 10.0
_LOOKS_AT_STOP_S: Final = 2.0


class Step(NamedTuple):
    """From one document to the other, and what each guard asks about that, by its name."""

    before: Document
    after: Document
    questions: dict[str, Any]


def step_of(
    before: Document | None, after: Document | None, keys: frozenset[str] = frozenset()
) -> Step | None:
    """From one to the other, where that may take something away; something else is said of `keys`.

    Within the change's transaction.
    """
    if before is None or after is None:
        return None
    questions: dict[str, Any] = {}
    for name, guard in guards().items():
        try:
            question = guard.question(before, after, keys)
        except Exception as error:
            logger.exception("A guard failed.")
            question = error
        if question is not None:
            questions[name] = question
    return Step(before, after, questions) if questions else None


def taken_by(step: Step, progress: Progress) -> list[str]:
    """In sentences; a guard that fails says so, and holds up no stop."""
    is_stop = step.before != step.after and is_stop_alone(step.before, step.after)
    seconds = _LOOKS_AT_STOP_S if is_stop else _LOOKS_S
    told: list[str] = []
    for name, question in step.questions.items():
        try:
            told += _answer(name, question, seconds, progress)
        except Unfinished as slow:
            told += slow.taken if is_stop else [*slow.taken, str(slow)]
        except Exception as error:
            logger.exception("A guard failed.")
            if not is_stop:
                told.append(f"The guard “{name}” failed, so what this takes is unknown: {error}")
    return told


def _answer(name: str, question: Any, seconds: float, progress: Progress) -> list[str]:
    """Raises Unfinished, and what the guard raised when it was to say its question."""
    if isinstance(question, Exception):
        raise question
    return guards()[name].taken(question, seconds, progress)


def is_stop_alone(before: Document, after: Document) -> bool:
    """Whether the change only switches off, turns off, forces to No or deactivates."""
    switched = {**before["switches"]}
    for name, active in after["switches"].items():
        if not active:
            switched[name] = False
    stopped: Any = with_stops({**before, "switches": switched}, dict(after))
    parts = ("traits", "segments", "flags", "switches", "sections")
    return all(stopped[part] == after[part] for part in parts)  # type: ignore[literal-required]


def alarms(step: Step) -> Iterator[str]:
    """What a step takes that is made already."""
    for name, question in step.questions.items():
        try:
            yield from _answer(name, question, _LOOKS_AT_STOP_S, lambda *_looked: None)
        except Unfinished as slow:
            yield from (*slow.taken, str(slow))
        except Exception:
            logger.exception("A guard failed.")


def moved_by(before: Document | None, after: Document | None) -> list[str]:
    """Who has got something else by it, in sentences."""
    if before is None or after is None or before is after:
        return []
    told: list[str] = []
    for guard in guards().values():
        try:
            told += guard.moved(before, after)
        except Exception:
            logger.exception("A guard failed.")
    return told
