"""A text as it comes, to a thread or to a coroutine; its receipt is settled at its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from asgiref.sync import sync_to_async

from igny8_core.ai.errors import StreamUsed
from igny8_core.ai.providers import network
from igny8_core.ai.request import ledger
from igny8_core.ai.request.answers import Answer
from igny8_core.ai.request.attempts import Attempts
from igny8_core.modules.usage.models import Receipt

Result = TypeVar("Result")
Begun = tuple[Receipt, Attempts[Any]]


class Streamed:
    """A text as it comes, to be iterated once, by `for` or by `async for`.

    `answer` is there once it has ended, has failed or was left: what had come by then. Iterating
    raises what the request refuses or fails with, and StreamUsed the second time.
    """

    def __init__(self, begin: Callable[[], tuple[Receipt, Attempts[str]]]) -> None:
        self._begin = begin
        self._is_used = False
        self.answer: Answer[str] | None = None

    def __iter__(self) -> Iterator[str]:
        return self.pieces()

    def __aiter__(self) -> AsyncIterator[str]:
        return self.apieces()

    def pieces(self) -> Generator[str]:
        """A caller that leaves early closes it, to have the call cut off at once."""
        self._use()
        receipt, attempts = self._begin()
        try:
            yield from network.each(attempts.pieces())
        except BaseException as error:
            attempts.interrupted(error)
            raise
        finally:
            ledger.settled(receipt, attempts.tried)
            self._keep(receipt, attempts)

    async def apieces(self) -> AsyncGenerator[str]:
        """As `pieces`."""
        self._use()
        request: Begun | None = None
        try:
            async with (
                begun(self._begin) as request,
                aclosing(network.aeach(request[1].pieces())) as pieces,
            ):
                async for piece in pieces:
                    yield piece
        finally:
            if request is not None:
                self._keep(*request)

    def _use(self) -> None:
        if self._is_used:
            raise StreamUsed
        self._is_used = True

    def _keep(self, receipt: Receipt, attempts: Attempts[str]) -> None:
        last = attempts.tried[-1]
        self.answer = None if last.answer is None else Answer.of(last, receipt)


@asynccontextmanager
async def begun(begin: Callable[[], Begun]) -> AsyncIterator[Begun]:
    """A request that a coroutine has reserved: it is settled, however often that is cancelled."""
    receipt, attempts = await _surely(begin, undo=_interrupted)
    try:
        yield receipt, attempts
    except BaseException as error:
        attempts.interrupted(error)
        raise
    finally:
        await _surely(lambda: ledger.settled(receipt, attempts.tried))


def _interrupted(begun: Begun) -> None:
    receipt, attempts = begun
    attempts.interrupted(asyncio.CancelledError())
    ledger.settled(receipt, attempts.tried)


async def _surely(do: Callable[[], Result], undo: Callable[[Result], None] | None = None) -> Result:
    """What it gives, once it is done; a caller that is cancelled meanwhile is so afterwards."""
    task = asyncio.ensure_future(sync_to_async(do)())
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # noqa: BLE001 - the task has it
            break
    if cancelled is not None:
        if undo is not None and task.exception() is None:
            await _surely(lambda: undo(task.result()))
        raise cancelled
    return task.result()
