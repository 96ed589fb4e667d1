"""The parts of Anthropic's answers that we use; the rest may be anything."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class _Block(BaseModel):
    """One of the content's: a text, or something else that is left out."""

    type: str = ""
    text: str = ""


class Message(BaseModel):
    content: list[_Block]
    model: Any = None
    stop_reason: Any = None
    usage: Any = None

    @property
    def text(self) -> str:
        return "".join(block.text for block in self.content if block.type == "text")

    @property
    def service_tier(self) -> Any:
        return self.usage.get("service_tier") if isinstance(self.usage, dict) else None
