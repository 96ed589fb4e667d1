from __future__ import annotations

from igny8_core.ai.resolution import Reason, Refusal
from igny8_core.ai.words import WHY, WHY_NOT


def test_words__every_reason_and_refusal__has_its_own() -> None:
    assert set(WHY) == set(Reason)
    assert set(WHY_NOT) == set(Refusal)
