from __future__ import annotations

import json

from igny8_core.ai.providers.offline import LABEL, OfflineProvider
from igny8_core.ai.values import TextRequest

REQUEST = TextRequest("gpt-4o", "Write.", "About tyres.", json_mode=False, timeout_s=1)


def test_complete__same_request__same_answer() -> None:
    assert OfflineProvider().complete(REQUEST) == OfflineProvider().complete(REQUEST)


def test_complete__another_prompt__another_answer() -> None:
    other = REQUEST._replace(prompt="About chains.")
    assert OfflineProvider().complete(REQUEST).text != OfflineProvider().complete(other).text


def test_complete__text__is_labelled() -> None:
    answer = OfflineProvider().complete(REQUEST)
    assert answer.text.startswith(LABEL)
    assert (answer.model_served, answer.finish_reason) == ("gpt-4o", "stop")


def test_complete__json_mode__is_labelled_json() -> None:
    answer = OfflineProvider().complete(REQUEST._replace(json_mode=True))
    assert json.loads(answer.text)["offline"] == LABEL


def test_complete__longer_prompt__takes_more_tokens() -> None:
    short = OfflineProvider().complete(REQUEST).usage
    long = OfflineProvider().complete(REQUEST._replace(prompt="word " * 1000)).usage
    assert short is not None
    assert long is not None
    assert 5 <= short.input_tokens < 30
    assert 1000 <= long.input_tokens < 1500
    assert 40 <= short.output_tokens < 1000
