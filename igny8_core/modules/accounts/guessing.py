"""Slows down the guessing of passwords, by the address that guesses and the name it guesses for.

The counts are in the cache, which all workers share where REDIS_URL is set; else each worker has
its own. Nothing that was typed is kept, and no password is hashed once the limit is reached.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from igny8_core.plain_text import fault_of

WINDOW_S: Final = 15 * 60
# Wrong passwords within the window: for one name from one address, and for any names from one.
MOST_FOR_NAME: Final = 10
MOST_FROM_ADDRESS: Final = 100
# The length of an IPv6 address's part that one customer has.
_NETWORK_BITS: Final = 64


class ThrottledLogins:
    """The first of AUTHENTICATION_BACKENDS: refuses to try where too much was guessed.

    It knows no user: those after it do.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,  # noqa: ARG002 - Django's
        **_more: Any,
    ) -> None:
        """Raises PermissionDenied, which ends the attempt; `wait_s(request)` says until when."""
        if request is None:  # a program of ours, which may try as often as it likes
            return
        name = str(username)
        wait = max((_wait_s(key) for key, _ in _limits(request, name)), default=0)
        request.login_wait_s = wait  # type: ignore[attr-defined]
        if wait:
            raise PermissionDenied
        if fault_of(name):  # nobody has such a name
            raise PermissionDenied


def wait_s(request: Any) -> int:
    """How many seconds until the request's name and address may try again; 0: now."""
    waits: int = getattr(request, "login_wait_s", 0)
    return waits


def told(seconds: int) -> str:
    minutes = -(-seconds // 60)
    when = "1 minute" if minutes == 1 else f"{minutes} minutes"
    return f"Too many wrong passwords. Try again in {when}."


def failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_signal: Any) -> None:
    """A receiver of `user_login_failed`; an attempt that was not tried is not counted."""
    if request is None or wait_s(request):
        return
    for key, most in _limits(request, str(credentials.get("username"))):
        if _is_over(key):
            cache.delete_many([key, _until(key), _full(key)])
        cache.add(_until(key), int(time.time()) + WINDOW_S, WINDOW_S)
        cache.add(key, 0, WINDOW_S)
        count = _incremented(key)
        if count >= most:
            cache.add(_full(key), 1, WINDOW_S)


def logged_in(request: HttpRequest, user: Any, **_signal: Any) -> None:
    """A receiver of `user_logged_in`: the name's own count begins anew."""
    key, _ = _limits(request, user.get_username())[0]
    cache.delete_many([key, _until(key), _full(key)])


def client_address(request: HttpRequest) -> str:
    """Where a request is from: what the proxy in front says, where there is one."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.BEHIND_PROXY else ""
    address: str = forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
    return address


def _limits(request: HttpRequest, name: str) -> list[tuple[str, int]]:
    """The counts that an attempt adds to, and how far each may go."""
    network = _network(client_address(request))
    both = f"{network}\0{name.casefold()}".encode(errors="surrogatepass")
    return [
        (f"login:{hashlib.sha256(both).hexdigest()}", MOST_FOR_NAME),
        (f"login:{hashlib.sha256(network.encode()).hexdigest()}", MOST_FROM_ADDRESS),
    ]


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004
        return str(found)
    return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))


def _incremented(key: str) -> int:
    try:
        return int(cache.incr(key) or 0)
    except ValueError:  # it has just ended
        return 0


def _wait_s(key: str) -> int:
    until = cache.get(_until(key)) if cache.get(_full(key)) else 0
    return max(until - int(time.time()), 0) if isinstance(until, int) else 0


def _is_over(key: str) -> bool:
    """Whether the window has ended by our clock, though the cache still has it."""
    until = cache.get(_until(key))
    return isinstance(until, int) and until <= time.time()


def _until(key: str) -> str:
    return f"{key}:until"


def _full(key: str) -> str:
    return f"{key}:full"
