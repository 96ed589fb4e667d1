"""Reads what people write in commands, requests and forms: needs and moments. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from igny8_core.ai.exceptions import InvalidMoment, InvalidNeed, UnknownNeed
from igny8_core.ai.values import Needs


def parse_moment(text: str) -> datetime:
    """An ISO 8601 date, with a time or without; UTC without a zone. Raises InvalidMoment."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidMoment(text) from None


def parse_needs(text: str) -> Needs:
    """`json_mode,vision,context_tokens=4000`; raises UnknownNeed, InvalidNeed."""
    needs = Needs()
    for part in text.split(","):
        name, equals, number = part.strip().partition("=")
        match name:
            case "json_mode" | "vision" if not equals:
                needs = needs._replace(**{name: True})
            case "context_tokens" if number.isascii() and number.isdigit():
                needs = needs._replace(context_tokens=int(number))
            case "json_mode" | "vision" | "context_tokens":
                raise InvalidNeed(part)
            case _:
                raise UnknownNeed(name, Needs._fields)
    return needs
