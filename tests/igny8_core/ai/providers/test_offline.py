from __future__ import annotations

import base64
import json
import math

from igny8_core.ai.providers import network
from igny8_core.ai.providers.base import EmbeddingRequest, ImageRequest, TextRequest
from igny8_core.ai.providers.offline.client import DIMENSIONS, LABEL, OfflineProvider
from igny8_core.pricing.meters import Meter

REQUEST = TextRequest(
    "gpt-4o", "Write.", "About tyres.", json_mode=False, timeout_s=1, longest=8192
)


def test_complete__same_request__same_answer() -> None:
    assert network.wait(OfflineProvider().complete(REQUEST)) == network.wait(
        OfflineProvider().complete(REQUEST)
    )


def test_complete__another_prompt__another_answer() -> None:
    other = REQUEST._replace(prompt="About chains.")
    assert (
        network.wait(OfflineProvider().complete(REQUEST)).content
        != network.wait(OfflineProvider().complete(other)).content
    )


def test_complete__text__is_labelled() -> None:
    answer = network.wait(OfflineProvider().complete(REQUEST))
    assert answer.content.startswith(LABEL)
    assert (answer.model_served, answer.finish_reason) == ("gpt-4o", "stop")


def test_complete__json_mode__is_labelled_json() -> None:
    answer = network.wait(OfflineProvider().complete(REQUEST._replace(json_mode=True)))
    assert json.loads(answer.content)["offline"] == LABEL


def test_complete__longer_prompt__takes_more_tokens() -> None:
    short = network.wait(OfflineProvider().complete(REQUEST)).usage.meters
    long = network.wait(
        OfflineProvider().complete(REQUEST._replace(prompt="word " * 1000))
    ).usage.meters
    assert short is not None
    assert long is not None
    assert 5 <= short[Meter.INPUT_TOKENS] < 30
    assert 1000 <= long[Meter.INPUT_TOKENS] < 1500
    assert 40 <= short[Meter.OUTPUT_TOKENS] < 1000


def test_draw__two_pictures__are_labelled_and_the_same_again() -> None:
    request = ImageRequest("dall-e-3", "A tyre.", 2, 1)
    answer = network.wait(OfflineProvider().draw(request))
    assert answer == network.wait(OfflineProvider().draw(request))
    assert answer.usage.meters == {Meter.IMAGES: 2}
    one, other = (base64.b64decode(image.b64 or "") for image in answer.content)
    assert one.startswith(b"\x89PNG")
    assert one != other
    assert LABEL.encode() in one


def test_embed__texts__are_vectors_of_length_one_in_order() -> None:
    answer = network.wait(OfflineProvider().embed(EmbeddingRequest("e", ("one", "two"), 1)))
    one, two = answer.content
    assert (len(one), len(two)) == (DIMENSIONS, DIMENSIONS)
    assert math.isclose(math.hypot(*one), 1)
    assert one != two
    assert network.wait(OfflineProvider().embed(EmbeddingRequest("e", ("two",), 1))).content == (
        two,
    )
