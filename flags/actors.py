"""Who is changing something in this context: set by a request, a command or a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple


class Actor(NamedTuple):
    """`address` is where a request came from, `via` what was used, `why` what was said of it."""

    name: str = ""
    address: str = ""
    via: str = "program"
    why: str = ""


# Asked when something is recorded: a request's user costs a query.
_acting: Final[ContextVar[Callable[[], Actor]]] = ContextVar("acting", default=Actor)


def actor() -> Actor:
    return _acting.get()()


@contextmanager
def acting(who: Callable[[], Actor]) -> Iterator[None]:
    token = _acting.set(who)
    try:
        yield
    finally:
        _acting.reset(token)
