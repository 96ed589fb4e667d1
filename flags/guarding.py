"""An operator's change, asked about first where it takes something away from accounts.

The change is tried and rolled back, the guards look while nobody waits for the lock, and then it is
made, refused or asked about. What others write is looked at once it is published, and told of.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from flags import metrics, publishing
from flags.document.stops import with_stops
from flags.engine import Document
from flags.registry import Progress, Unfinished, guards

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
# How long the guards may look before an operator is asked; a stop waits less.
_LOOKS_S: Final = 10.0
_LOOKS_AT_STOP_S: Final = 2.0
# A change that meets another revision each time is asked about.
_TRIES: Final = 3
# Whether this context's changes are asked about: then nobody need be told of them.
_is_asked: ContextVar[bool] = ContextVar("is_asked", default=False)


class Unconfirmed(Exception):
    """What a change would take away: nothing was changed, and `token` confirms just this change.

    `taken` are sentences. Another revision makes the token void.
    """

    code = "unconfirmed"

    def __init__(self, taken: list[str], token: str) -> None:
        self.taken = taken
        self.token = token
        super().__init__(" ".join(taken))


class _Step(NamedTuple):
    before: Document
    after: Document


class _Unlooked(Exception):
    """The change may take something away; it is rolled back. `newest` was the number before it."""

    def __init__(self, step: _Step, newest: int | None) -> None:
        super().__init__()
        self.step = step
        self.newest = newest


def _silent(*_told: object) -> None:
    pass


ANY: Final = "*"


def operate(  # noqa: PLR0913 - each by keyword
    do: Callable[[], Result],
    *,
    author: str,
    comment: str = "",
    key: str = "",
    confirmed: str = "",
    unless: Callable[[], bool] = lambda: False,
    progress: Progress = _silent,
    report: Callable[[str], None] = _silent,
) -> Result:
    """Do it as one change, as `publishing.change` does; `do` may be called twice.

    Raises Unconfirmed where it takes something away and `confirmed` is not the token that said so;
    `ANY` confirms whatever it takes. `key` says which change it is. `report` is told, a sentence
    each, who has got something else by it.
    """
    approved, is_settled = confirmed, False
    for _ in range(_TRIES):
        token = _is_asked.set(True)
        try:
            with publishing.change(
                author=author, comment=comment, unless=unless, check=partial(_check, approved, key)
            ) as made:
                done = do()
        except publishing.Unpublishable:
            if is_settled:  # else raw SQL may have left the fault, which is then held back
                raise
            is_settled = bool(publishing.publish_waiting(comment="direct writes"))
        except _Unlooked as tried:
            taken = _taken(tried.step, progress)
            approved = token_of(tried.newest, key)
            if taken and approved != confirmed:
                raise Unconfirmed(taken, approved) from None
        else:
            for sentence in _moved(made):
                report(sentence)
            return done
        finally:
            _is_asked.reset(token)
    sentence = "Others are publishing at the same time, so what this takes away is not known."
    raise Unconfirmed([sentence], approved)


def _moved(made: publishing.Change) -> list[str]:
    if made.before is None or made.after is None or made.before is made.after:
        return []
    told: list[str] = []
    for guard in guards().values():
        try:
            told += guard.moved(made.before, made.after)
        except Exception:
            logger.exception("A guard failed.")
    return told


def _check(approved: str, key: str, made: publishing.Change) -> None:
    """Raises _Unlooked, which rolls the change back."""
    step = _step(made.before, made.after)
    if step and approved not in {ANY, token_of(made.newest, key)}:
        raise _Unlooked(step, made.newest)


def token_of(newest: int | None, key: str) -> str:
    """What confirms the change with the key on the newest revision."""
    return hashlib.sha256(f"{newest}\0{key}".encode(errors="surrogatepass")).hexdigest()[:16]


def _step(before: Document | None, after: Document | None) -> _Step | None:
    """From one to the other, where that may take something away."""
    if before is None or after is None:
        return None
    may_take = any(_asked(guard.may_take, before, after) for guard in guards().values())
    return _Step(before, after) if may_take else None


def _asked(may_take: Callable[..., bool], before: Document, after: Document) -> bool:
    try:
        return may_take(before, after)
    except Exception:
        logger.exception("A guard failed.")
        return True


def _taken(step: _Step, progress: Progress) -> list[str]:
    """In sentences; a guard that fails says so, and holds up no stop."""
    is_stop = is_stop_alone(*step)
    seconds = _LOOKS_AT_STOP_S if is_stop else _LOOKS_S
    told: list[str] = []
    for name, guard in guards().items():
        try:
            told += guard.taken(*step, seconds, progress)
        except Unfinished as slow:
            told += slow.taken if is_stop else [*slow.taken, str(slow)]
        except Exception as error:
            logger.exception("A guard failed.")
            if not is_stop:
                told.append(f"The guard “{name}” failed, so what this takes is unknown: {error}")
    return told


def is_stop_alone(before: Document, after: Document) -> bool:
    """Whether the change only switches off, turns off, forces to No or deactivates."""
    switched = {**before["switches"]}
    for name, active in after["switches"].items():
        if not active:
            switched[name] = False
    stopped: Any = with_stops({**before, "switches": switched}, dict(after))
    parts = ("traits", "segments", "flags", "switches", "sections")
    return all(stopped[part] == after[part] for part in parts)  # type: ignore[literal-required]


def tell(before: Document | None, after: Document, **_signal: object) -> None:
    """Of what a program has published: what it takes away is an error in the log and a metric."""
    if before is None or before is after or _is_asked.get():
        return
    step = _step(before, after)
    if step is None:
        return
    for guard in guards().values():
        try:
            taken = guard.taken(*step, _LOOKS_AT_STOP_S, _silent)
        except Unfinished as slow:
            taken = [*slow.taken, str(slow)]
        except Exception:
            logger.exception("A guard failed.")
            continue
        for sentence in taken:
            metrics.TAKEN.inc()
            logger.error("What was published takes models away: %s", sentence)
