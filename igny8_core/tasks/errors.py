"""What can be wrong with a task's name, needs, parameters and prompt."""

from __future__ import annotations

from igny8_core.errors import AIError, UnknownName


class EmptyPrompt(AIError):
    code = "empty_prompt"

    def __init__(self) -> None:
        super().__init__("The prompt is empty.")


class PromptTooLong(AIError):
    code = "prompt_too_long"

    def __init__(self, model_id: str, tokens: int, context_window: int) -> None:
        self.model_id = model_id
        self.tokens = tokens
        self.context_window = context_window
        super().__init__(
            f"The prompt is about {tokens} tokens long; {model_id!r} holds {context_window}.",
        )


class UnknownTask(UnknownName):
    code = "unknown_task"
    kind = "task"


class InvalidTask(AIError):
    code = "invalid_task"

    def __init__(self, key: str, why: str) -> None:
        self.key = key
        super().__init__(f"There can be no task {key!r}: {why}.")


class UnknownNeed(UnknownName):
    code = "unknown_need"
    kind = "need"


class InvalidNeed(AIError):
    code = "invalid_need"

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__(f"{value!r} is not json_mode, vision or context_tokens=NUMBER.")


class UnknownParameter(UnknownName):
    code = "unknown_parameter"
    kind = "parameter"


class InvalidParameter(AIError):
    code = "invalid_parameter"

    def __init__(self, name: str, value: object, rule: str) -> None:
        self.name = name
        self.value = value
        self.rule = rule
        super().__init__(f"{name} is {value!r}; it must be {rule}.")


class UnknownPlaceholder(UnknownName):
    code = "unknown_placeholder"
    kind = "placeholder"


class MissingPlaceholder(AIError):
    code = "missing_placeholder"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The placeholder {name!r} is not filled in.")


class InvalidPlaceholders(AIError):
    code = "invalid_placeholders"

    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(f"Placeholders are {value!r}; they must be a list of names, each once.")


class UnusedPlaceholder(AIError):
    code = "unused_placeholder"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The placeholder {name!r} is declared and not used.")


class InvalidVariable(AIError):
    code = "invalid_variable"

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.value = value
        super().__init__(f"The placeholder {name!r} is filled in with {value!r}, not with a text.")


class InvalidCharacter(AIError):
    code = "invalid_character"

    def __init__(self, position: int, character: str) -> None:
        self.position = position
        self.character = character
        super().__init__(
            f"The text has {character!a} at position {position}, which nothing carries."
        )
