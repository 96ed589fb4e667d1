"""The embedded provider: answers where no other can, always the same way, and says so."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import struct
import zlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from igny8_core.ai.providers.base import (
    Connection,
    EmbeddingRequest,
    Image,
    ImageRequest,
    Provider,
    ProviderAnswer,
    TextRequest,
    TextStream,
    Vector,
)
from igny8_core.ai.providers.usage import Counts, Usage
from igny8_core.catalogue.names import OFFLINE
from igny8_core.pricing.meters import Meter
from igny8_core.tasks.prompts import estimated_tokens

LABEL = "[offline answer: no provider was called]"
DIMENSIONS = 32
_TOKENS_PER_MESSAGE = 4
_SENTENCES = (
    "This sentence stands where the model's own words would be.",
    "It has about the length that a reader expects of such an answer.",
    "Nothing in it was written for this prompt.",
    "The same prompt gives the same sentences every time.",
    "Set a key for the provider and its model answers instead.",
    "Prices and receipts work just as they do with a real answer.",
    "A longer passage follows so that token counts look as they would in earnest.",
)


class OfflineProvider(Provider):
    def __init__(self) -> None:
        super().__init__(OFFLINE, Connection(api_key=""))

    async def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        body = _body(f"{request.model_id}\0{request.instruction}\0{request.prompt}")
        text = (
            json.dumps({"offline": LABEL, "text": body}) if request.json_mode else f"{LABEL} {body}"
        )
        return ProviderAnswer(
            content=text,
            model_served=request.model_id,
            usage=_usage(
                {
                    Meter.INPUT_TOKENS: _tokens(request.instruction) + _tokens(request.prompt),
                    Meter.OUTPUT_TOKENS: _tokens(text),
                }
            ),
            finish_reason="stop",
        )

    def stream(self, request: TextRequest) -> TextStream:
        return TextStream(self.name, _Draft(), self._words(request))

    async def _words(self, request: TextRequest) -> AsyncGenerator[Mapping[str, Any]]:
        answer = await self.complete(request)
        for word in re.findall(r"\s*\S+", answer.content):
            yield {"text": word}
        yield {"answer": answer}

    async def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        """Pictures of one colour each, with the label in their metadata."""
        pictures = (
            _png(_digest(f"{request.model_id}\0{request.prompt}\0{number}"))
            for number in range(request.number)
        )
        return ProviderAnswer(
            content=tuple(Image(None, base64.b64encode(png).decode()) for png in pictures),
            model_served=request.model_id,
            usage=_usage({Meter.IMAGES: request.number}),
        )

    async def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        return ProviderAnswer(
            content=tuple(_vector(f"{request.model_id}\0{text}") for text in request.texts),
            model_served=request.model_id,
            usage=_usage({Meter.INPUT_TOKENS: sum(_tokens(text) for text in request.texts)}),
        )


class _Draft:
    def __init__(self) -> None:
        self._texts: list[str] = []
        self._answer: ProviderAnswer[str] | None = None

    @property
    def is_whole(self) -> bool:
        return self._answer is not None

    def add(self, event: Mapping[str, Any]) -> str:
        self._answer = event.get("answer")
        text: str = event.get("text", "")
        self._texts.append(text)
        return text

    def answer(self) -> ProviderAnswer[str]:
        return self._answer or ProviderAnswer("".join(self._texts), "", _usage({}))


def _usage(meters: Counts) -> Usage:
    return Usage({str(meter): count for meter, count in meters.items()}, meters)


def _digest(seed: str) -> bytes:
    return hashlib.sha256(seed.encode()).digest()


def _body(seed: str) -> str:
    """Between 4 and 31 sentences, chosen by the seed alone."""
    digest = _digest(seed)
    return " ".join(_SENTENCES[byte % len(_SENTENCES)] for byte in digest[: 4 + digest[0] % 28])


def _vector(seed: str) -> Vector:
    """A vector of length 1."""
    values = [byte - 127.5 for byte in _digest(seed)[:DIMENSIONS]]
    length = math.hypot(*values)
    return tuple(value / length for value in values)


def _png(digest: bytes) -> bytes:
    """A picture of one pixel in the digest's colour."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        (b"tEXt", b"Comment\0" + LABEL.encode()),
        (b"IDAT", zlib.compress(b"\0" + digest[:3])),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _tokens(text: str) -> int:
    """About what a tokenizer would count, with the frame around each message."""
    return estimated_tokens(text) + _TOKENS_PER_MESSAGE
