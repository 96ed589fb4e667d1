from __future__ import annotations

import pytest

from igny8_core.tasks.errors import UnknownTask
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.tasks import TASKS, get_task


def test_tasks__all__are_the_six_with_their_types() -> None:
    assert {key: task.model_type.value for key, task in TASKS.items()} == {
        "auto_cluster": "text",
        "generate_ideas": "text",
        "generate_content": "text",
        "generate_image_prompts": "text",
        "generate_images": "image",
        "embed_text": "embedding",
    }


def test_get_task__unknown__names_the_known() -> None:
    with pytest.raises(UnknownTask, match=r"no task 'write'\. Known: auto_cluster, generate_ideas"):
        get_task("write")


def test_needs__union__is_the_stricter_of_each() -> None:
    one, other = Needs(json_mode=True, context_tokens=10), Needs(vision=True, context_tokens=5)
    both = Needs(json_mode=True, vision=True, context_tokens=10)
    assert one.union(other) == other.union(one) == both
