"""What the ledger refuses."""

from __future__ import annotations

from igny8_core.errors import AIError


class PromptInUse(AIError):
    """A version of a prompt that receipts name is not deleted."""

    code = "prompt_in_use"

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        super().__init__(f"{prompt} cannot be deleted: receipts name it. Put it aside instead.")
