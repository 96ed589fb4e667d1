"""A text as it comes, to a thread or to a coroutine; its receipt is settled at its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing

from asgiref.sync import sync_to_async

from igny8_core.ai.providers import network
from igny8_core.ai.request import ledger
from igny8_core.ai.request.answers import Answer
from igny8_core.ai.request.attempts import Attempts
from igny8_core.modules.usage.models import Receipt


class Streamed:
    """A text as it comes, to be iterated once, by `for` or by `async for`.

    `answer` is there once it has ended, has failed or was left: what had come by then. Iterating
    raises what the request refuses or fails with.
    """

    def __init__(self, begin: Callable[[], tuple[Receipt, Attempts[str]]]) -> None:
        self._begin = begin
        self.answer: Answer[str] | None = None

    def __iter__(self) -> Iterator[str]:
        return self.pieces()

    def __aiter__(self) -> AsyncIterator[str]:
        return self.apieces()

    def pieces(self) -> Generator[str]:
        """A caller that leaves early closes it, to have the call cut off at once."""
        receipt, attempts = self._begin()
        try:
            yield from network.each(attempts.pieces())
        except BaseException as error:
            attempts.interrupted(error)
            raise
        finally:
            self._settle(receipt, attempts)

    async def apieces(self) -> AsyncGenerator[str]:
        """As `pieces`."""
        receipt, attempts = await sync_to_async(self._begin)()
        try:
            async with aclosing(network.aeach(attempts.pieces())) as pieces:
                async for piece in pieces:
                    yield piece
        except BaseException as error:
            attempts.interrupted(error)
            raise
        finally:
            await sync_to_async(self._settle)(receipt, attempts)

    def _settle(self, receipt: Receipt, attempts: Attempts[str]) -> None:
        ledger.settled(receipt, attempts.tried)
        last = attempts.tried[-1]
        self.answer = None if last.answer is None else Answer.of(last, receipt)
