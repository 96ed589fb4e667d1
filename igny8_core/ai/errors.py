"""What the pipeline refuses before it calls a provider, and what can go wrong with a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from igny8_core.ai.resolution import Refusal, TrailEntry
from igny8_core.errors import AIError
from igny8_core.pricing.money import money_text


class AccountNotActive(AIError):
    code = "account_not_active"

    def __init__(self, account_key: str, status: str) -> None:
        self.account_key = account_key
        self.status = status
        super().__init__(f"Account {account_key!r} is {status}: no AI request is run for it.")


class WrongTaskType(AIError):
    """The task wants another kind of model than the call runs."""

    code = "wrong_task_type"

    def __init__(self, task: str, model_type: str, expected: str) -> None:
        self.task = task
        self.model_type = model_type
        self.expected = expected
        super().__init__(
            f"Task {task!r} takes a model of type '{model_type}', this call runs '{expected}'.",
        )


class ModelNotAvailable(AIError):
    """The caller named a model that cannot be used; `available` can."""

    code = "model_not_available"

    def __init__(
        self, model_id: str, available: Sequence[str], trail: Sequence[TrailEntry]
    ) -> None:
        self.model_id = model_id
        self.available = list(available)
        self.trail = tuple(trail)
        asked = self.trail[-1]
        unknown = asked.refusal is Refusal.UNKNOWN_MODEL
        because = "" if unknown else f". {model_id}: {asked.why}."
        instead = f" {asked.successor} serves in its place." if asked.successor else ""
        super().__init__(
            f"Model '{model_id}' is not supported. Available models: {self.available}"
            f"{because}{instead}",
        )


class NoUsableModel(AIError):
    """No candidate gave a usable model; the trail says why of each, `available` could be used."""

    code = "no_usable_model"

    def __init__(
        self, account_key: str, task: str, trail: Sequence[TrailEntry], available: Sequence[str]
    ) -> None:
        self.account_key = account_key
        self.task = task
        self.available = list(available)
        self.trail = tuple(trail)
        looked_at = "; ".join(
            f"{entry.candidate}{f' of the flag {entry.flag}' if entry.flag else ''}"
            f"{f' {entry.model_id}' if entry.model_id else ''}: {entry.why}"
            for entry in self.trail
        )
        usable = f" Usable if chosen: {', '.join(self.available)}." if self.available else ""
        super().__init__(
            f"No usable model for account {account_key!r} and task {task!r}. {looked_at}.{usable}",
        )


class OpenTransaction(AIError):
    """What decides the call is not committed: it might never have been."""

    code = "open_transaction"

    def __init__(self) -> None:
        super().__init__(
            "An AI request is refused inside a database transaction that has changed the "
            "configuration or an account. Run it outside transaction.atomic()."
        )


class InvalidRequestId(AIError):
    code = "invalid_request_id"

    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(f"The request id {value!r} is no UUID.")


class DatabaseAway(AIError):
    """Nothing is known of the account yet, and the database cannot be asked: nothing was sent."""

    code = "database_away"

    def __init__(self, account_key: str) -> None:
        super().__init__(f"What is set for account {account_key!r} cannot be read just now.")


class StreamUsed(AIError):
    code = "stream_used"

    def __init__(self) -> None:
        super().__init__("A streamed text is iterated once: to ask again, make another request.")


class InvalidMaxCost(AIError):
    code = "invalid_max_cost"

    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(f"max_cost is {value!r}; it must be a Decimal in USD, 0 or more.")


class InvalidRunKey(AIError):
    code = "invalid_run_key"

    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__(f"The run key {value!r:.60} is no text of 1 to 200 characters.")


class CostTooHigh(AIError):
    """What the request may cost, in USD, is more than the caller allows: nothing was sent."""

    code = "cost_too_high"

    def __init__(self, model_id: str, cost: Decimal, max_cost: Decimal) -> None:
        self.model_id, self.cost, self.max_cost = model_id, cost, max_cost
        super().__init__(
            f"The request may cost up to {money_text(cost)} USD with {model_id!r}; "
            f"at most {money_text(max_cost)} USD are allowed."
        )
