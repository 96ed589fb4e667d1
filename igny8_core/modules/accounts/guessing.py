"""Slows down the guessing of passwords, by the address that guesses and the name it guesses for.

The counts are in a cache that all workers share where REDIS_URL is set; else, and while Redis is
away, each worker has its own. Nothing that was typed is kept, and no password is hashed once the
limit is reached.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import time
from contextlib import suppress
from typing import Any, Final

from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from igny8_core.plain_text import fault_of

WINDOW_S: Final = 15 * 60
# Wrong passwords within the window, and those being tried: for one name from one address, and for
# any names from one.
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
        wait = 0
        for key, most in _limits(request, name):
            count, left_s = _counted(key)
            wait = max(wait, left_s if count > most else 0)
        request.login_wait_s = wait  # type: ignore[attr-defined]
        if wait or fault_of(name):  # nobody has a name with such a fault
            raise PermissionDenied


def wait_s(request: Any) -> int:
    """How many seconds until the request's name and address may try again; 0: now."""
    waits: int = getattr(request, "login_wait_s", 0)
    return waits


def told(seconds: int) -> str:
    minutes = -(-seconds // 60)
    when = "1 minute" if minutes == 1 else f"{minutes} minutes"
    return f"Too many wrong passwords. Try again in {when}."


def logged_in(request: HttpRequest, user: Any, **_signal: Any) -> None:
    """A receiver of `user_logged_in`."""
    succeeded(request, user.get_username())


def succeeded(request: HttpRequest, username: str) -> None:
    """The password was right: this attempt is not counted, and its name begins anew."""
    (name, _), (address, _) = _limits(request, username)
    for each in _CACHES:
        caches[each].delete_many([name, _until(name)])
    for each in _CACHES:
        with suppress(ValueError, TypeError):  # its window has ended
            if isinstance(caches[each].decr(address), int):  # else the cache is away
                break


def client_address(request: HttpRequest) -> str:
    """Where a request is from: what the proxy in front says, where there is one."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.BEHIND_PROXY else ""
    address: str = forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
    found = _WITH_PORT.fullmatch(address)
    return (found[1] or found[2]) if found else address


# Some proxies add the port, which is another for each connection.
_WITH_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+):\d+")


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
    if found.version == 6 and found.ipv4_mapped:  # noqa: PLR2004
        return str(found.ipv4_mapped)
    if found.version == 4:  # noqa: PLR2004
        return str(found)
    return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))


# The shared one, and this worker's own for when that is away.
_CACHES: Final = ("logins", "logins_here")


def _counted(key: str) -> tuple[int, int]:
    """How many there are with this one, and how many seconds the window has left.

    Before anything is tried: a burst would be tried whole if it were counted when it has failed.
    """
    for name in _CACHES:
        cache = caches[name]
        until = cache.get(_until(key))
        left_s = _left_s(until)
        if not left_s:
            if until is not None:
                cache.delete_many([key, _until(key)])
            left_s = WINDOW_S
            cache.add(_until(key), int(time.time()) + WINDOW_S, WINDOW_S)
        cache.add(key, 0, WINDOW_S)
        try:
            count = cache.incr(key)
        except (ValueError, TypeError):  # it has just ended, or is nothing that was counted here
            count = 1
            cache.set(key, count, WINDOW_S)
        if isinstance(count, int):  # else the cache is away
            return count, left_s
    return 0, 0


def _left_s(until: object) -> int:
    """Of a window that ends at this second; 0 of one that no clock of ours can have begun."""
    left = until - int(time.time()) if isinstance(until, int) else 0
    return left if 0 < left <= WINDOW_S else 0


def _until(key: str) -> str:
    return f"{key}:until"
