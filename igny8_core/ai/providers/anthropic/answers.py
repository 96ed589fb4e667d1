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


class _Delta(BaseModel):
    text: str = ""
    stop_reason: Any = None


class Event(BaseModel):
    """One of a message that is streamed; a server may send the message whole in place of them."""

    type: str = ""
    message: dict[str, Any] = {}
    content_block: _Block = _Block()
    delta: _Delta = _Delta()
    content: list[_Block] = []
    model: Any = None
    stop_reason: Any = None
    usage: Any = None

    @property
    def text(self) -> str:
        return "".join(
            [self.content_block.text, self.delta.text, *(block.text for block in self.content)]
        )

    def seen(self, usage: Any) -> dict[str, Any]:
        """What it says of the message; its usage goes over what was said of it before."""
        found = {
            "model": self.message.get("model", self.model),
            "stop_reason": self.delta.stop_reason or self.stop_reason,
            "usage": self.message.get("usage", self.usage),
        }
        if isinstance(usage, dict) and isinstance(found["usage"], dict):
            found["usage"] = {**usage, **found["usage"]}
        return {name: value for name, value in found.items() if value is not None}
