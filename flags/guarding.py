"""An operator's change, asked about first where it takes something away from accounts.

The change is tried and rolled back, the guards look while nobody waits for the lock, and then it is
made, refused or asked about. What others write is looked at once it is published, and told of.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

from django.db import transaction

from flags import live, metrics, publishing
from flags.accounts.heard import changed_here
from flags.document.stored import newest_number
from flags.engine import Document
from flags.guards import Step, alarms, moved_by, step_of, taken_by
from flags.models.pending import OpenChange, open_changes, uncommitted
from flags.registry import Progress

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
# A change that meets another revision each time is asked about.
_TRIES: Final = 3


class Unconfirmed(Exception):
    """What a change would take away: nothing was changed, and `token` confirms just this change.

    `taken` are sentences. Another revision makes the token void.
    """

    code = "unconfirmed"

    def __init__(self, taken: list[str], token: str) -> None:
        self.taken = taken
        self.token = token
        super().__init__(" ".join(taken))


class _Unlooked(Exception):
    """The change may take something away; it is rolled back. `newest` was the number before it."""

    def __init__(self, step: Step, newest: int | None) -> None:
        super().__init__()
        self.step = step
        self.newest = newest


def _silent(*_told: object) -> None:
    pass


def operate(  # noqa: PLR0913 - each by keyword
    do: Callable[[], Result],
    *,
    author: str,
    comment: str = "",
    key: str = "",
    confirmed: str = "",
    is_confirmed: bool = False,
    is_published: bool = True,
    unless: Callable[[], bool] = lambda: False,
    progress: Progress = _silent,
    report: Callable[[str], None] = _silent,
) -> Result:
    """Do it as one change, as `publishing.change` does; `do` may be called twice.

    Raises Unconfirmed where it takes something away, unless `confirmed` is the token that said so
    or `is_confirmed` whatever it takes. `key` says which change it is. `report` is told, a sentence
    each, who has got something else by it. Not `is_published`: of rows that only say something of
    accounts, such as overrides.
    """
    approved, is_settled = confirmed if is_published else "", False
    for _ in range(_TRIES):
        check = (
            _silent if is_confirmed else partial(_check, approved, key, next(open_changes(), None))
        )
        change = (
            publishing.change(author=author, comment=comment, unless=unless, check=check)
            if is_published
            else _change_of_accounts(check)
        )
        try:
            with change as made:
                done = do()
        except publishing.Unpublishable:
            if is_settled or uncommitted() is not None:  # else raw SQL may have left the fault
                raise
            is_settled = bool(publishing.publish_waiting(comment="direct writes"))
        except _Unlooked as tried:
            taken = taken_by(tried.step, progress)
            approved = token_of(tried.newest, key)
            # What is said of accounts changes without a revision, so it confirms what it takes.
            token = approved if is_published else token_of(tried.newest, "\0".join([key, *taken]))
            if taken and token != confirmed:
                raise Unconfirmed(taken, token) from None
        else:
            for sentence in moved_by(made.before, made.after):
                report(sentence)
            return done
    sentence = "Others are publishing at the same time, so what this takes away is not known."
    raise Unconfirmed([sentence], approved)


@contextmanager
def _change_of_accounts(
    check: Callable[[publishing.Publication], None],
) -> Iterator[publishing.Publication]:
    """The block is one change of what is known of accounts, by the rules in force."""
    with transaction.atomic():
        made = publishing.Publication()
        made.newest = newest_number()
        made.before = made.after = live.current().ruleset.document
        yield made
        check(made)


def _check(approved: str, key: str, began: OpenChange | None, made: publishing.Publication) -> None:
    """Raises _Unlooked, which rolls back what was changed since it began."""
    step = step_of(made.before, made.after, changed_here(began))
    if step and approved != token_of(made.newest, key):
        raise _Unlooked(step, made.newest)


def token_of(newest: int | None, key: str) -> str:
    """What confirms the change with the key on the newest revision."""
    return hashlib.sha256(f"{newest}\0{key}".encode(errors="surrogatepass")).hexdigest()[:16]


def tell(before: Document | None, after: Document, *, is_asked: bool, **_signal: object) -> None:
    """Of what nobody was asked about: what it takes away is an error in the log and a metric."""
    if before is None or before is after or is_asked:
        return
    step = step_of(before, after)
    for sentence in alarms(step) if step else ():
        metrics.TAKEN.inc()
        logger.error("What was published takes models away: %s", sentence)
