"""The types of traits. Nothing is converted: a value is of its type, or it is not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite

# The account's key, as a trait.
KEY = "key"

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]"
    r"((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]{1,9}))?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
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
    return value if isinstance(value, str) else None


def number(value: object) -> float | None:
    """A finite number; True and False are none."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    return value if isinstance(value, float) and isfinite(value) else None


def boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def moment(value: object) -> int | None:
    """Epoch milliseconds of RFC 3339 text with a zone, of an aware datetime, or as they are."""
    if isinstance(value, str):
        return _parsed_moment(value)
    if isinstance(value, datetime):
        return None if value.utcoffset() is None else (value - _EPOCH) // _MILLISECOND
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def milliseconds(at: object) -> int:
    """Of an aware datetime, since 1970; raises TypeError for anything else."""
    found = moment(at) if isinstance(at, datetime) else None
    if found is None:
        message = f"{at!r} is no moment; it must be an aware datetime or epoch milliseconds"
        raise TypeError(message)
    return found


def _parsed_moment(value: str) -> int | None:
    found = _RFC_3339.fullmatch(value)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in {"Z", "z"} else zone
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{zone}")
    except ValueError:  # no such day or zone
        return None
    return (whole - _EPOCH) // _MILLISECOND + int((fraction or "0").ljust(3, "0")[:3])


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
    Type.TIME: moment,
    Type.VER: version,
    Type.IP: address,
}
