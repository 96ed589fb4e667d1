"""The named jobs of the pipeline: what each asks of a model and how it is put to it."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from igny8_core.pricing.meters import ModelType
from igny8_core.tasks.errors import UnknownTask
from igny8_core.tasks.needs import Needs


class Task(NamedTuple):
    """`prompt` is the instruction that goes before what the caller sends."""

    key: str
    model_type: ModelType
    needs: Needs
    prompt: str


TASKS = MappingProxyType(
    {
        task.key: task
        for task in (
            Task(
                "auto_cluster",
                ModelType.TEXT,
                Needs(json_mode=True),
                "Group these keywords by the intent behind them. Answer with a JSON object: "
                "a list “clusters”, each with “name” and “keywords”.",
            ),
            Task(
                "generate_ideas",
                ModelType.TEXT,
                Needs(json_mode=True),
                "Propose articles for this cluster of keywords. Answer with a JSON object: "
                "a list “ideas”, each with “title” and “summary”.",
            ),
            Task(
                "generate_content",
                ModelType.TEXT,
                Needs(context_tokens=4000),
                "Write the article that this brief describes, in HTML, ready to publish.",
            ),
            Task(
                "generate_image_prompts",
                ModelType.TEXT,
                Needs(json_mode=True),
                "Describe the pictures that this article needs. Answer with a JSON object: "
                "a list “prompts” of texts, each for one picture.",
            ),
            Task("generate_images", ModelType.IMAGE, Needs(), "Draw a picture of:"),
            Task("embed_text", ModelType.EMBEDDING, Needs(), ""),
        )
    },
)


def get_task(key: str) -> Task:
    """The task with this key; raises UnknownTask."""
    try:
        return TASKS[key]
    except KeyError:
        raise UnknownTask(key, TASKS) from None
