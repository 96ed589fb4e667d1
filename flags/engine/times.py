"""Moments: the one epoch, its milliseconds and microseconds, and what people write for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_RFC_3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]"
    r"((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]{1,9}))?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_UNITS_MS: Final = {
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
}


class UnreadableMoment(ValueError):
    """A text that a person wrote for a moment, and that is none."""

    code = "invalid_moment"

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"{text!r} is not a moment: write it as 2026-12-31T18:00:00Z.")


def parse_moment(text: str) -> datetime:
    """An ISO 8601 date, with a time or without; UTC without a zone. Raises UnreadableMoment."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UnreadableMoment(text) from None


def moment_ms(value: object) -> int | None:
    """Epoch milliseconds of RFC 3339 text with a zone, of an aware datetime, or as they are."""
    if isinstance(value, str):
        return _text_ms(value)
    if isinstance(value, datetime):
        return None if value.utcoffset() is None else (value - EPOCH) // _MILLISECOND
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def milliseconds(at: object) -> int:
    """Of an aware datetime, since 1970; raises TypeError for anything else."""
    found = moment_ms(at) if isinstance(at, datetime) else None
    if found is None:
        message = f"{at!r} is no moment; it must be an aware datetime or epoch milliseconds"
        raise TypeError(message)
    return found


def microseconds(at: datetime) -> int:
    """Of an aware datetime, since 1970, exactly."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def datetime_of_us(us: int) -> datetime:
    """Of microseconds since 1970; raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=us)


def datetime_of_ms(ms: int) -> datetime:
    """Of milliseconds since 1970; raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(milliseconds=ms)


def duration_ms(value: object) -> int | None:
    """Milliseconds of a duration such as "14d", in s, m, h, d or w; None for anything else."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else int(found[1]) * _UNITS_MS[found[2]]


def _text_ms(value: str) -> int | None:
    found = _RFC_3339.fullmatch(value)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in {"Z", "z"} else zone
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{zone}")
    except ValueError:  # no such day or zone
        return None
    return (whole - EPOCH) // _MILLISECOND + int((fraction or "0").ljust(3, "0")[:3])
