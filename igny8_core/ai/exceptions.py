"""What can go wrong in the pipeline: each error is one fact with its fields, code and sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from igny8_core.ai.values import Refusal, Step


class AIError(Exception):
    """Anything that the pipeline refuses or fails at; `str()` is the sentence."""

    code: ClassVar[str]


class UnknownName(AIError):
    """A name that is not one of a closed list."""

    kind: ClassVar[str]

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        self.name = name
        self.known = list(known)
        choices = f" Known: {', '.join(self.known)}." if self.known else ""
        super().__init__(f"There is no {self.kind} {name!r}.{choices}")


class UnknownAccount(UnknownName):
    code = "unknown_account"
    kind = "account"


class UnknownTask(UnknownName):
    code = "unknown_task"
    kind = "task"


class UnknownModel(UnknownName):
    code = "unknown_model"
    kind = "model"


class UnknownModelType(UnknownName):
    code = "unknown_model_type"
    kind = "model type"


class UnknownMeter(UnknownName):
    code = "unknown_meter"
    kind = "meter"


class UnknownNeed(UnknownName):
    code = "unknown_need"
    kind = "need"


class UnknownParameter(UnknownName):
    code = "unknown_parameter"
    kind = "parameter"


class UnknownPlaceholder(UnknownName):
    code = "unknown_placeholder"
    kind = "placeholder"


class UnknownProvider(UnknownName):
    code = "unknown_provider"
    kind = "provider"


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


class PromptIsFixed(AIError):
    """A version of a prompt is not edited: receipts name it. A change is a new version."""

    code = "prompt_is_fixed"

    def __init__(self, prompt: str, fields: Sequence[str]) -> None:
        self.prompt = prompt
        self.fields = list(fields)
        super().__init__(
            f"{prompt} is never edited ({', '.join(fields)}): add a new version instead.",
        )


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


class PromptInUse(AIError):
    """A version of a prompt that receipts name is not deleted."""

    code = "prompt_in_use"

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        super().__init__(f"{prompt} cannot be deleted: receipts name it. Put it aside instead.")


class InvalidParameter(AIError):
    code = "invalid_parameter"

    def __init__(self, name: str, value: object, rule: str) -> None:
        self.name = name
        self.value = value
        self.rule = rule
        super().__init__(f"{name} is {value!r}; it must be {rule}.")


class PromptTooLong(AIError):
    code = "prompt_too_long"

    def __init__(self, model_id: str, tokens: int, max_tokens: int) -> None:
        self.model_id = model_id
        self.tokens = tokens
        self.max_tokens = max_tokens
        super().__init__(
            f"The prompt is about {tokens} tokens long; {model_id!r} holds {max_tokens}.",
        )


class EncryptionNotConfigured(AIError):
    code = "encryption_not_configured"

    def __init__(self, fault: str) -> None:
        super().__init__(f"Provider keys cannot be kept: {fault}")


class UnreadableKey(AIError):
    code = "unreadable_key"

    def __init__(self) -> None:
        super().__init__(
            "A stored provider key was encrypted with a key that ENCRYPTION_KEYS no longer has.",
        )


class ModelInUse(AIError):
    """A model that receipts or flags name is neither deleted nor given another id."""

    code = "model_in_use"

    def __init__(self, model_id: str, change: str, who: str = "receipts name it") -> None:
        self.model_id = model_id
        self.change = change
        super().__init__(
            f"Model {model_id!r} cannot be {change}: {who}. Deactivate it instead.",
        )


class AccountNotActive(AIError):
    code = "account_not_active"

    def __init__(self, account_key: str, status: str) -> None:
        self.account_key = account_key
        self.status = status
        super().__init__(f"Account {account_key!r} is {status}: no AI request is run for it.")


class NoDefaultModel(AIError):
    code = "no_default_model"

    def __init__(self, model_type: str) -> None:
        self.model_type = model_type
        super().__init__(f"No active model is marked as the default for '{model_type}'.")


class ModelNotAvailable(AIError):
    """The caller named a model that cannot be used; `available` can."""

    code = "model_not_available"

    def __init__(self, model_id: str, available: Sequence[str], trail: Sequence[Step]) -> None:
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
        self, account_key: str, task: str, trail: Sequence[Step], available: Sequence[str]
    ) -> None:
        self.account_key = account_key
        self.task = task
        self.available = list(available)
        self.trail = tuple(trail)
        looked_at = "; ".join(
            f"{step.candidate}{f' of the flag {step.flag}' if step.flag else ''}"
            f"{f' {step.model_id}' if step.model_id else ''}: {step.why}"
            for step in self.trail
        )
        usable = f" Usable if chosen: {', '.join(self.available)}." if self.available else ""
        super().__init__(
            f"No usable model for account {account_key!r} and task {task!r}. {looked_at}.{usable}",
        )


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


class EmptyPrompt(AIError):
    code = "empty_prompt"

    def __init__(self) -> None:
        super().__init__("The prompt is empty.")


class InvalidCharacter(AIError):
    code = "invalid_character"

    def __init__(self, position: int, character: str) -> None:
        self.position = position
        self.character = character
        super().__init__(
            f"The text has {character!a} at position {position}, which nothing carries."
        )


class InvalidMoment(AIError):
    code = "invalid_moment"

    def __init__(self, value: object) -> None:
        self.value = value
        shown = value.isoformat() if isinstance(value, datetime) else repr(value)
        super().__init__(
            f"{shown} is not a moment of the years 1 to 9999 with its zone, such as "
            "2026-12-01T00:00:00Z."
        )


class InvalidNeed(AIError):
    code = "invalid_need"

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__(f"{value!r} is not json_mode, vision or context_tokens=NUMBER.")


class InvalidKey(AIError):
    """The key itself is in no error."""

    code = "invalid_key"

    def __init__(self) -> None:
        super().__init__("A provider's key is printable ASCII without spaces; this one is not.")


class InvalidLiveSetting(AIError):
    code = "invalid_live_setting"

    def __init__(self, name: str, value: object, rule: str) -> None:
        self.name = name
        self.value = value
        super().__init__(f"The live setting {name} is {value!r}; it must be {rule}.")


class OpenTransaction(AIError):
    """An AI call takes long and cannot be undone: it has no place inside a transaction."""

    code = "open_transaction"

    def __init__(self) -> None:
        super().__init__(
            "An AI request inside a database transaction is refused: a rollback would lose its "
            "receipt. Run it outside transaction.atomic().",
        )


class AccountKeyIsFixed(AIError):
    code = "account_key_is_fixed"

    def __init__(self, key: str, new_key: str) -> None:
        self.key = key
        self.new_key = new_key
        super().__init__(
            f"Account {key!r} cannot become {new_key!r}: rules, splits and receipts use its key.",
        )


class InvalidQuantity(AIError):
    code = "invalid_quantity"

    def __init__(self, meter: str, value: object, *, least: int, most: int) -> None:
        self.meter = meter
        self.value = value
        super().__init__(f"{meter} is {value!r}; it must be a whole number from {least} to {most}.")


class InvalidRate(AIError):
    code = "invalid_rate"

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.value = value
        super().__init__(
            f"{name} is {value!r}; it must be a number from 0 to 999999.9999 with at most four "
            "decimals.",
        )


class InvalidAmount(AIError):
    code = "invalid_amount"

    def __init__(self, meter: str, amount: object, per: object) -> None:
        self.meter = meter
        self.amount = amount
        self.per = per
        super().__init__(
            f"{meter} at {amount} per {per} is no rate: it must be above zero, and whole "
            "pico-dollars for one.",
        )


class InvalidCondition(AIError):
    code = "invalid_condition"

    def __init__(self, name: str, value: object, rule: str) -> None:
        self.name = name
        self.value = value
        super().__init__(f"{name} is {value!r}; it must be {rule}.")


class RateTie(AIError):
    """Two rates of a meter hold for the same call, and none is the more specific."""

    code = "rate_tie"

    def __init__(self, one: str, other: str) -> None:
        super().__init__(
            f"“{one}” and “{other}” may hold for the same call, and neither is the more specific: "
            "add a rate for where both hold.",
        )


class RateGap(AIError):
    """A meter has a rate at some hours or lengths, and none at others."""

    code = "rate_gap"

    def __init__(self, line: str, other: str | None) -> None:
        both = f"“{line}” and “{other}” leave" if other else f"“{line}” leaves"
        super().__init__(f"{both} calls without a rate: add one for the other hours and lengths.")


class PriceHasBegun(AIError):
    """A price that has begun is neither edited nor deleted; a new one takes its place."""

    code = "price_has_begun"

    def __init__(self, price: str) -> None:
        self.price = price
        super().__init__(f"{price} has begun: it is never edited or deleted. Add a new price.")


class PriceInThePast(AIError):
    """A new price does not change what calls cost that were made already."""

    code = "price_in_the_past"

    def __init__(self, model_id: str, at: str) -> None:
        self.model_id = model_id
        self.at = at
        super().__init__(
            f"{at} is past, and model {model_id!r} had a price then: begin now or later.",
        )


class ImpossibleUsage(AIError):
    """A meter's parts are more than the whole."""

    code = "impossible_usage"

    def __init__(self, meter: str, whole: int, parts: Mapping[str, int]) -> None:
        self.meter = meter
        named = " and ".join(f"{name} {quantity}" for name, quantity in parts.items())
        super().__init__(f"{named} cannot be part of {meter} {whole}.")


class InvalidMarkup(AIError):
    code = "invalid_markup"

    def __init__(self, value: object, least: int, most: int) -> None:
        self.value = value
        super().__init__(f"The markup is {value}; it must be percent from {least} to {most}.")


class ProcessingNotPriced(AIError):
    code = "processing_not_priced"

    def __init__(self, model_id: str, processing: str) -> None:
        self.model_id = model_id
        self.processing = processing
        super().__init__(f"Model {model_id!r} has no price for {processing} processing.")


class MeterNotPriced(AIError):
    """A model has no rate for a meter that was used: an unknown price is never zero."""

    code = "meter_not_priced"

    def __init__(self, model_id: str, meter: str, context: Iterable[str | None] = ()) -> None:
        self.model_id = model_id
        self.meter = meter
        named = ", ".join(each for each in context if each and each != "standard")
        where = f" ({named})" if named else ""
        super().__init__(f"Model {model_id!r} has no price for {meter}{where}.")


class ReceiptConflict(AIError):
    code = "receipt_conflict"

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"Request {request_id} already has a receipt with other content.")


class ReceiptNotWritten(AIError):
    """The ledger's database failed; the log has the whole receipt."""

    code = "receipt_not_written"

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(
            f"The receipt of request {request_id} could not be written; the log has it in full.",
        )


class ProviderError(AIError):
    """A provider gave no answer; the receipt's status is this error's code."""

    def __init__(self, provider: str, sentence: str) -> None:
        self.provider = provider
        super().__init__(f"Provider {provider!r} {sentence}")


class ProviderNotConfigured(AIError):
    code = "provider_not_configured"

    def __init__(self, provider: str) -> None:
        self.provider = provider
        super().__init__(f"Provider {provider!r} has no key, and offline answers are turned off.")


class ProviderNotImplemented(AIError):
    code = "provider_not_implemented"

    def __init__(self, provider: str) -> None:
        self.provider = provider
        super().__init__(f"Provider {provider!r} has a key, but igny8 cannot call it yet.")


class ProviderUnreachable(ProviderError):
    code = "provider_unreachable"

    def __init__(self, provider: str) -> None:
        super().__init__(provider, "cannot be reached.")


class ProviderTimeout(ProviderError):
    code = "provider_timeout"

    def __init__(self, provider: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(provider, f"did not answer within {timeout_s:g} s.")


class ProviderKeyRefused(ProviderError):
    code = "provider_key_refused"

    def __init__(self, provider: str, http_status: int) -> None:
        self.http_status = http_status
        super().__init__(provider, f"refused the key (HTTP {http_status}).")


class ProviderRateLimited(ProviderError):
    """`retry_after_s` is None where the provider did not say."""

    code = "provider_rate_limited"

    def __init__(self, provider: str, retry_after_s: float | None) -> None:
        self.retry_after_s = retry_after_s
        wait = "" if retry_after_s is None else f" Try again in {retry_after_s:g} s."
        super().__init__(provider, f"refused the request: too many requests (HTTP 429).{wait}")


class ProviderRequestRefused(ProviderError):
    code = "provider_request_refused"

    def __init__(self, provider: str, http_status: int, detail: str) -> None:
        self.http_status = http_status
        self.detail = detail
        super().__init__(provider, f"refused the request (HTTP {http_status}): {detail}")


class ProviderFailed(ProviderError):
    code = "provider_failed"

    def __init__(self, provider: str, http_status: int) -> None:
        self.http_status = http_status
        super().__init__(provider, f"failed (HTTP {http_status}).")


class ProviderAnswerInvalid(ProviderError):
    code = "provider_answer_invalid"

    def __init__(self, provider: str, fault: str) -> None:
        self.fault = fault
        super().__init__(provider, f"sent an answer that makes no sense: {fault}.")
