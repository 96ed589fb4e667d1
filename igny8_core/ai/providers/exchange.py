"""One call to a provider: sent by its SDK, read here, within a time and a size."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from igny8_core.ai.providers.base import PROMPTS
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderError,
    ProviderTimeout,
    ProviderUnforeseen,
    ProviderUnreachable,
)
from igny8_core.ai.providers.wire import (
    Body,
    Fault,
    checked,
    fault_of,
    loaded,
    one_line,
    refusal,
    without,
)

if TYPE_CHECKING:
    from igny8_core.ai.providers.transport import Received

# Ten pictures in base64 are less; it is counted once decompressed.
MAX_BODY_BYTES: Final = 128 * 2**20
_MAX_FAULT_BYTES: Final = 2**16
_MAX_EVENT_BYTES: Final = 2**20
# The status of an error that comes in the middle of an answer and names none.
_FAILED: Final = 500
# The end of a line; a CR that ends a chunk may be half of one.
_ENDS: Final = re.compile(rb"\r\n|\n|\r(?!\Z)")
# The event by which OpenAI's protocol ends.
DONE: Final[Mapping[str, Any]] = MappingProxyType({"[DONE]": True})
Send = Callable[[], Awaitable[object]]


class Exchange(NamedTuple):
    """How a provider's calls are made: `secret` is in no error, `fault_of` reads its refusals."""

    provider: str
    secret: str
    fault_of: Callable[[Any], Fault] = fault_of

    async def whole(self, body_type: type[Body], timeout_s: float, send: Send) -> Body:
        """The answer, within `timeout_s` from connecting to its end; raises a ProviderError."""
        async with self._answer(timeout_s, send) as received:
            said = loaded(await self._body(received), "body", self.provider)
            try:
                return checked(body_type, said, self.provider)
            except ProviderAnswerInvalid:
                self._refuse_error(said)
                raise

    async def events(self, timeout_s: float, send: Send) -> AsyncGenerator[Mapping[str, Any]]:
        """The answer's events as they come, each a JSON object; a whole answer is one event.

        Raises a ProviderError.
        """
        async with self._answer(timeout_s, send) as received:
            kind = received.response.headers.get("Content-Type", "") if received.response else ""
            if "text/event-stream" not in kind:
                yield self._event(await self._body(received))
                return
            lines: list[bytes] = []
            async for line in self._lines(received):
                if line.startswith(b"data:"):
                    lines.append(line[len(b"data:") :].removeprefix(b" "))
                elif not line and (data := b"\n".join(lines)):
                    lines = []
                    yield (event := self._event(data))
                    if event is DONE:  # some servers leave the connection open
                        return

    @asynccontextmanager
    async def _answer(self, timeout_s: float, send: Send) -> AsyncIterator[Received]:
        from igny8_core.ai.providers.transport import (  # noqa: PLC0415 - imports httpx2
            Received,
            receiving,
        )

        received = Received()
        receiving.set(received)
        try:
            async with asyncio.timeout(timeout_s):
                await self._sent(send, received)
                yield received
        except TimeoutError as error:
            raise ProviderTimeout(self.provider, timeout_s) from error
        except ProviderError:
            raise
        except Exception as error:
            raise self._why(error) from error
        finally:
            await received.aclose()

    async def _sent(self, send: Send, received: Received) -> None:
        try:
            await send()
        except Exception as error:  # noqa: BLE001 - whatever the SDK made of it
            raise received.fault or error from None
        if received.response is None:
            message = "nothing was sent"
            raise RuntimeError(message)
        if not received.response.is_success:
            raise await self._refused(received)

    def _why(self, error: Exception) -> ProviderError:
        import httpx2  # noqa: PLC0415 - a tenth of a second that others need not pay

        from igny8_core.ai.providers.transport import UnknownEncoding  # noqa: PLC0415 - as above

        if isinstance(error, zlib.error | UnknownEncoding):
            return ProviderAnswerInvalid(self.provider, "body: it cannot be decompressed")
        if isinstance(error, httpx2.TransportError):
            was_sent = not isinstance(error, httpx2.ConnectError)
            return ProviderUnreachable(self.provider, was_sent=was_sent)
        return ProviderUnforeseen(self.provider, error)

    async def _refused(self, received: Received) -> ProviderError:
        response = received.response
        assert response is not None  # noqa: S101 - its status was looked at
        try:
            chunks = [chunk async for chunk in received.chunks(_MAX_FAULT_BYTES)]
            said = json.loads(b"".join(chunks))
        except Exception:  # noqa: BLE001 - whatever it sent, its status says what it is
            said = None
        return self.refusal(response.status_code, response.headers, said)

    def refusal(self, status: int, headers: Mapping[str, str], said: Any) -> ProviderError:
        """What an answer says that is none: each is exactly one of ours."""
        fault = self.fault_of(said)
        text = fault.text or (HTTPStatus(status).phrase if status in {*HTTPStatus} else "")
        text = text.replace(self.secret, "…") if self.secret else text
        detail = without(one_line(text), PROMPTS.get())
        return refusal(self.provider, status, headers, detail, fault.codes)

    async def _body(self, received: Received) -> bytearray:
        body = bytearray()
        async for chunk in self._bounded(received):
            body += chunk
        return body

    async def _lines(self, received: Received) -> AsyncIterator[bytes]:
        """Without their ends, LF, CR LF or CR; an empty one last. Raises ProviderAnswerInvalid."""
        rest: list[bytes] = []
        size, is_first = 0, True
        async for chunk in self._bounded(received):
            text = chunk.removeprefix(b"\xef\xbb\xbf") if is_first else chunk
            is_first = is_first and not chunk
            rest.append(text)
            size += len(text)
            if b"\n" in text or b"\r" in text:
                *lines, last = _ENDS.split(b"".join(rest))
                for line in lines:
                    yield line
                rest, size = [last], len(last)
            if size > _MAX_EVENT_BYTES:
                fault = f"event: it has more than {_MAX_EVENT_BYTES:,} bytes"
                raise ProviderAnswerInvalid(self.provider, fault)
        for line in (*_ENDS.split(b"".join(rest)), b""):
            yield line.removesuffix(b"\r")

    async def _bounded(self, received: Received) -> AsyncIterator[bytes]:
        """Raises ProviderAnswerInvalid."""
        left = MAX_BODY_BYTES
        async for chunk in received.chunks(MAX_BODY_BYTES):
            left -= len(chunk)
            if left < 0:
                fault = f"body: it has more than {MAX_BODY_BYTES:,} bytes"
                raise ProviderAnswerInvalid(self.provider, fault)
            yield chunk

    def _event(self, data: bytes | bytearray) -> Mapping[str, Any]:
        if data == b"[DONE]":
            return DONE
        said = loaded(data, "event", self.provider)
        if not isinstance(said, dict):
            raise ProviderAnswerInvalid(self.provider, "event: it is no object")
        self._refuse_error(said)
        return said

    def _refuse_error(self, said: Any) -> None:
        """Raises what an answer says in place of one, though its status is another."""
        error = said.get("error") if isinstance(said, dict) else None
        if isinstance(error, dict):
            code = error.get("code")
            raise self.refusal(code if type(code) is int else _FAILED, {}, said)
