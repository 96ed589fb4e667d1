"""The embedded provider: answers where no other can, always the same way, and says so."""

from __future__ import annotations

import hashlib
import json
import math

from igny8_core.ai.values import TextAnswer, TextRequest, Usage

NAME = "offline"
LABEL = "[offline answer: no provider was called]"

_CHARACTERS_PER_TOKEN = 4
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


class OfflineProvider:
    name = NAME

    def complete(self, request: TextRequest) -> TextAnswer:
        body = _body(f"{request.model_id}\0{request.instruction}\0{request.prompt}")
        text = (
            json.dumps({"offline": LABEL, "text": body}) if request.json_mode else f"{LABEL} {body}"
        )
        return TextAnswer(
            text=text,
            finish_reason="stop",
            model_served=request.model_id,
            usage=Usage(
                input_tokens=_tokens(request.instruction) + _tokens(request.prompt),
                output_tokens=_tokens(text),
            ),
        )


def _body(seed: str) -> str:
    """Between 4 and 35 sentences, chosen by the seed alone."""
    digest = hashlib.sha256(seed.encode()).digest()
    return " ".join(_SENTENCES[byte % len(_SENTENCES)] for byte in digest[: 4 + digest[0] % 28])


def _tokens(text: str) -> int:
    """About what a tokenizer would count, with the frame around each message."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN) + _TOKENS_PER_MESSAGE
