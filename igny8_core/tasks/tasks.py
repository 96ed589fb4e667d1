"""The named jobs of the pipeline: what each asks of a model and how it is put to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from igny8_core.pricing.meters import ModelType
from igny8_core.tasks import parameters
from igny8_core.tasks.errors import InvalidTask, UnknownTask
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.parameters import PARAMETERS, Value

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")


class Task(NamedTuple):
    """`prompt` is the instruction that goes before what the caller sends.

    `parameters` hold where neither platform nor account nor call sets another value.
    """

    key: str
    model_type: ModelType
    needs: Needs = Needs()
    prompt: str = ""
    parameters: Mapping[str, Value] = MappingProxyType({})


_tasks: Final[dict[str, Task]] = {
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
        Task("embed_text", ModelType.EMBEDDING),
    )
}
# Those that were registered, as they are at each look.
TASKS: Final = MappingProxyType(_tasks)


def register(task: Task) -> None:
    """Add a task of an app's own; for `AppConfig.ready()`.

    Its flag is there after the next `migrate`. Raises InvalidTask for a key that is no word in
    small letters, that is a type of model, or that another task has; UnknownParameter,
    InvalidParameter.
    """
    if not _KEY.fullmatch(task.key):
        raise InvalidTask(task.key, "a key has small letters, digits and “_”, and begins with one")
    if task.key in {*ModelType}:
        raise InvalidTask(task.key, "that is a type of model")
    if task.model_type not in {*ModelType}:
        raise InvalidTask(task.key, f"{task.model_type!r} is no type of model")
    for name, value in task.parameters.items():
        parameters.check(name, value)
        if PARAMETERS[name].model_type != task.model_type:
            raise InvalidTask(task.key, f"{name} is no parameter of a {task.model_type} model")
    if _tasks.setdefault(task.key, task) != task:
        raise InvalidTask(task.key, "another task has that key")


def get_task(key: str) -> Task:
    """The task with this key; raises UnknownTask."""
    try:
        return TASKS[key]
    except KeyError:
        raise UnknownTask(key, TASKS) from None
