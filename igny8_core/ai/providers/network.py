"""The process's way to the providers: one thread runs every call, for sync and async callers.

One event loop has one pool of connections and one place where calls are cut off, whether a thread
waits for the answer or a coroutine of another loop does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing, suppress
from functools import lru_cache
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    import httpx2

Result = TypeVar("Result")
Asked = ParamSpec("Asked")
# How many clients of one provider's SDK are kept, each for a key and an address.
_CLIENTS_KEPT: Final = 32


# How long a call that was cut off may take to end.
_ENDS_WITHIN_S: Final = 2.0
_LOOKS_EVERY_S: Final = 0.005
# The libraries whose own logs have prompts and keys in them.
_TALKATIVE: Final = ("anthropic", "google_genai", "httpcore2", "httpx2", "openai")


class Network:
    """The thread's event loop, and its HTTP client, with the only pool of connections."""

    def __init__(self) -> None:
        from igny8_core.ai.providers.transport import client  # noqa: PLC0415 - imports httpx2

        self.http: httpx2.AsyncClient = client()
        silence()
        self.loop = asyncio.new_event_loop()
        Thread(target=self.loop.run_forever, name="providers", daemon=True).start()


class _Process:
    """What belongs to this process alone."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.network: Network | None = None

    def forget(self) -> None:
        """In a child process: of the parent's it has neither thread nor sockets."""
        self.__init__()  # type: ignore[misc]


_process: Final = _Process()
os.register_at_fork(after_in_child=_process.forget)


def network() -> Network:
    """Made when it is first needed, and anew in a child process."""
    with _process.lock:
        if _process.network is None:
            _process.network = Network()
        return _process.network


def kept(make: Callable[Asked, Result]) -> Callable[Asked, Result]:
    """The function, and its last results are kept in this process: a child makes its own."""
    cached = lru_cache(maxsize=_CLIENTS_KEPT)(make)
    # A child must not share its parent's sockets: each would get the other's answers.
    os.register_at_fork(after_in_child=cached.cache_clear)
    return cached  # type: ignore[return-value]


class _Nothing(logging.Filter):
    def filter(self, _record: logging.LogRecord) -> bool:
        return False


_nothing: Final = _Nothing()


def silence() -> None:
    """Whatever the host's logging says, the libraries' own logs stay off: they have prompts."""
    for name in [*logging.root.manager.loggerDict]:
        if name.partition(".")[0] in _TALKATIVE:
            logging.getLogger(name).addFilter(_nothing)


def wait(call: Coroutine[Any, Any, Result]) -> Result:
    """The call's result; a caller that is interrupted cuts the call off, and waits until it is."""
    ended = Event()
    future = asyncio.run_coroutine_threadsafe(_noted(call, ended), network().loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        ended.wait(_ENDS_WITHIN_S)
        raise


async def awaited(call: Coroutine[Any, Any, Result]) -> Result:
    """As `wait`, for a coroutine of any event loop that may be cancelled."""
    ended = Event()
    future = asyncio.run_coroutine_threadsafe(_noted(call, ended), network().loop)
    try:
        return await asyncio.wrap_future(future)
    except BaseException:
        future.cancel()
        ends_s = time.monotonic() + _ENDS_WITHIN_S
        while not ended.is_set() and time.monotonic() < ends_s:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(_LOOKS_EVERY_S)
        raise


async def _noted(call: Coroutine[Any, Any, Result], ended: Event) -> Result:
    try:
        return await call
    finally:
        ended.set()


class _End:
    """The last of what is handed over; `error` where it ended so."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _started(
    items: AsyncGenerator[Result], put: Callable[[Result | _End], object]
) -> Callable[[], object]:
    """Has the items handed over as they come, and an end; what comes back cuts that off."""
    loop = network().loop
    tasks: list[asyncio.Task[None]] = []

    async def run() -> None:
        async with aclosing(items):
            async for item in items:
                put(item)

    def start() -> None:
        tasks.append(loop.create_task(run()))
        tasks[0].add_done_callback(
            lambda task: put(_End(None if task.cancelled() else task.exception()))
        )

    loop.call_soon_threadsafe(start)
    return lambda: loop.call_soon_threadsafe(lambda: tasks[0].cancel())  # noqa: PLW0108 - made later


def each(items: AsyncGenerator[Result]) -> Iterator[Result]:
    """The items as they come; leaving early cuts the call off, and waits until it is."""
    queue: SimpleQueue[Result | _End] = SimpleQueue()
    cut_off = _started(items, queue.put)
    item: Result | _End | None = None
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
    finally:
        cut_off()
        with suppress(Empty):  # where the interpreter ends, the thread has stopped already
            while not isinstance(item, _End):
                item = queue.get(timeout=_ENDS_WITHIN_S)
    if isinstance(item, _End) and item.error is not None:
        raise item.error


async def aeach(items: AsyncGenerator[Result]) -> AsyncGenerator[Result]:
    """As `each`, for a coroutine of any event loop."""
    here, queue = asyncio.get_running_loop(), asyncio.Queue[Result | _End]()
    cut_off = _started(items, lambda item: here.call_soon_threadsafe(queue.put_nowait, item))
    item: Result | _End | None = None
    try:
        while not isinstance(item := await queue.get(), _End):
            yield item
    finally:
        cut_off()
        while not isinstance(item, _End):
            item = await queue.get()
    if item.error is not None:
        raise item.error
