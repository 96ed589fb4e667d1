"""What can be wrong with the name of a model, a type or a provider."""

from __future__ import annotations

from igny8_core.errors import AIError, UnknownName


class UnknownModel(UnknownName):
    code = "unknown_model"
    kind = "model"


class UnknownModelType(UnknownName):
    code = "unknown_model_type"
    kind = "model type"


class UnknownProvider(UnknownName):
    code = "unknown_provider"
    kind = "provider"


class NoDefaultModel(AIError):
    code = "no_default_model"

    def __init__(self, model_type: str) -> None:
        self.model_type = model_type
        super().__init__(f"No active model is marked as the default for '{model_type}'.")
