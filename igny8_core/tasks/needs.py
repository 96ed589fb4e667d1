"""What a task asks of a model beside its type."""

from __future__ import annotations

from typing import NamedTuple, Self

from igny8_core.tasks.errors import InvalidNeed, UnknownNeed


class Needs(NamedTuple):
    """What a task asks of a model; `context_tokens` is the least context it must hold."""

    json_mode: bool = False
    vision: bool = False
    context_tokens: int = 0

    def union(self, other: Self) -> Needs:
        return Needs(
            json_mode=self.json_mode or other.json_mode,
            vision=self.vision or other.vision,
            context_tokens=max(self.context_tokens, other.context_tokens),
        )


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
