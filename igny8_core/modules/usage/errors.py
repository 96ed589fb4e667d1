"""What the ledger refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from igny8_core.errors import AIError


class UnknownReceipt(AIError):
    code = "unknown_receipt"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no receipt {name!r}. `manage.py receipts` lists them.")


class AmbiguousReceipt(AIError):
    """Request ids are unique per account alone."""

    code = "ambiguous_receipt"

    def __init__(self, name: str, numbers: Sequence[int]) -> None:
        self.name = name
        self.numbers = numbers
        told = ", ".join(map(str, numbers))
        super().__init__(f"Several accounts have a request {name}; name a receipt: {told}.")


class PromptInUse(AIError):
    """A version of a prompt that receipts name is not deleted."""

    code = "prompt_in_use"

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        super().__init__(f"{prompt} cannot be deleted: receipts name it. Put it aside instead.")


class RequestConflict(AIError):
    """The account has used the request's id for something else."""

    code = "request_conflict"

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"Request {request_id} was made before, with other arguments.")


class RequestInProgress(AIError):
    """The same request is under way, or its process was killed and nobody has closed it yet."""

    code = "request_in_progress"

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"Request {request_id} is under way.")


class RequestDone(AIError):
    """The same request was made before; `receipt` says what came of it."""

    code = "request_done"

    def __init__(self, request_id: str, receipt: Any) -> None:
        self.request_id = request_id
        self.receipt = receipt
        super().__init__(f"Request {request_id} was made before: {receipt.status}.")


class SpoolUnusable(AIError):
    """Neither the database nor the disk takes an entry."""

    code = "spool_unusable"

    def __init__(self, why: str) -> None:
        super().__init__(f"The ledger's spool takes no entry: {why}.")
