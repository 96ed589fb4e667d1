"""The types of traits. Nothing is converted: a value is of its type, or it is not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from enum import StrEnum
from math import isfinite

from flags.engine.times import moment_ms

# The account's key, as a trait.
KEY = "key"

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER}(?:\.{_NUMBER}){{0,2}})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_VERSION_LENGTH = 256
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+(?:/(?:0|[1-9][0-9]{0,2}))?")

Version = tuple[tuple[int, ...], tuple[tuple[int, int, str], ...]]


class Type(StrEnum):
    STR = "str"
    NUM = "num"
    BOOL = "bool"
    TIME = "time"
    VER = "ver"
    IP = "ip"
    STRS = "[str]"
    NUMS = "[num]"


LISTS = frozenset({Type.STRS, Type.NUMS})
# What one value of a clause is compared with.
ELEMENTS = {**{kind: kind for kind in Type}, Type.STRS: Type.STR, Type.NUMS: Type.NUM}


def text(value: object) -> str | None:
    """The text, or None for anything else."""
    return value if isinstance(value, str) else None


def number(value: object) -> float | None:
    """A finite number; True and False are none."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    return value if isinstance(value, float) and isfinite(value) else None


def boolean(value: object) -> bool | None:
    """The boolean, or None for anything else."""
    return value if isinstance(value, bool) else None


def version(value: object) -> Version | None:
    """A key that sorts by SemVer 2.0 precedence; one to three numbers, the build is ignored."""
    if not isinstance(value, str) or len(value) > _VERSION_LENGTH:
        return None
    found = _VERSION.fullmatch(value)
    if found is None:
        return None
    numbers = tuple(int(part) for part in found[1].split("."))
    padded = numbers + (0,) * (3 - len(numbers))
    if found[2] is None:
        return padded, ((2, 0, ""),)  # a release comes after all of its pre-releases
    return padded, tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in found[2].split(".")
    )


def address(value: object) -> IPAddress | None:
    """The IP address, or None for anything else; one with a zone is none."""
    if not isinstance(value, str) or "%" in value:
        return None
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def network(value: object) -> IPNetwork | None:
    """A network in CIDR notation, without bits set below its length."""
    if not isinstance(value, str) or not _NETWORK.fullmatch(value):
        return None
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        return None


PARSERS: dict[Type, Callable[[object], object]] = {
    Type.STR: text,
    Type.NUM: number,
    Type.BOOL: boolean,
    Type.TIME: moment_ms,
    Type.VER: version,
    Type.IP: address,
}
