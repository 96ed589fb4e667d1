"""The named jobs of the pipeline: what each asks of a model and how it is put to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from igny8_core.pricing.meters import ModelType
from igny8_core.tasks import parameters, prompts
from igny8_core.tasks.errors import InvalidTask, UnknownTask
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.parameters import PARAMETERS, Value

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
MAX_CONTEXT_TOKENS: Final = 2**31 - 1


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
# Those that this process registers, as they are at each look.
TASKS: Final = MappingProxyType(_tasks)


def register(task: Task) -> None:
    """Add a task of an app's own; for `AppConfig.ready()`.

    The next `migrate` adds its flag and writes it into the document. Raises what `check_task` does,
    and InvalidTask for the key of another task.
    """
    check_task(task)
    if _tasks.setdefault(task.key, task) != task:
        raise InvalidTask(task.key, "another task has that key")


def check_task(task: Task) -> None:
    """Raises InvalidTask, UnknownParameter, InvalidParameter, InvalidCharacter.

    InvalidTask is for a key that is no word in small letters or is a type of model, for what is no
    type of model, and for needs and parameters that no model of the type has.
    """
    if not _KEY.fullmatch(task.key):
        raise InvalidTask(task.key, "a key has small letters, digits and “_”, and begins with one")
    if task.key in {*ModelType}:
        raise InvalidTask(task.key, "that is a type of model")
    if task.model_type not in {*ModelType}:
        raise InvalidTask(task.key, f"{task.model_type!r} is no type of model")
    if not 0 <= task.needs.context_tokens <= MAX_CONTEXT_TOKENS:
        raise InvalidTask(task.key, f"it may need from 0 to {MAX_CONTEXT_TOKENS} context_tokens")
    for name, value in task.parameters.items():
        parameters.check(name, value)
        if PARAMETERS[name].model_type != task.model_type:
            raise InvalidTask(task.key, f"{name} is no parameter of a {task.model_type} model")
    prompts.check_characters(task.prompt)


def known_tasks(declared: Mapping[str, Task]) -> dict[str, Task]:
    """Those that a document declares, and those of this process that it does not declare.

    The document wins: a receipt is then explained by its revision alone, and a process whose code
    says otherwise is heard at the next `migrate`.
    """
    return {**TASKS, **declared}


def get_task(key: str, declared: Mapping[str, Task] = MappingProxyType({})) -> Task:
    """The task that has this key among the known ones; raises UnknownTask, which names them."""
    known = known_tasks(declared)
    try:
        return known[key]
    except KeyError:
        raise UnknownTask(key, known) from None
