"""OpenFeature: a provider that answers in this process.

Over 200 lines: the interface has ten methods, five of them once more for coroutines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.utils import timezone
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from flags import live
from flags.accounts.facts import Facts
from flags.accounts.lookup import facts_of_key
from flags.engine import Decision, Reason, Ruleset
from flags.engine.times import milliseconds
from flags.live.snapshot import Snapshot
from flags.models.keys import RESERVED

T = TypeVar("T", bound=FlagValueType)
Answer = TypeVar("Answer")
Object = Sequence[FlagValueType] | Mapping[str, FlagValueType]

_TYPES: Final = {bool: "a boolean", str: "a text", int: "a whole number", float: "a number"}


async def _beside_the_loop(ask: Callable[..., Answer], *question: object) -> Answer:
    """What Django would do for a request: the thread's connection is not left open."""

    def answer() -> Answer:
        close_old_connections()
        try:
            return ask(*question)
        finally:
            close_old_connections()

    return await sync_to_async(answer)()


class FlagsProvider(AbstractProvider):
    """The context's targeting key is the account's key, its attributes are traits.

    Attributes stand above what the database knows of the account, and its overrides apply. An
    empty targeting key is none. The reason is the engine's own word; the metadata has the rule,
    the segment and the revision's number. A flag that abstains answers the caller's default,
    without a variant. Configuration has changed when this process first meets the change.

    `rulesets`, `facts` and `clock` say where the ruleset, an account and the time come from.
    """

    def __init__(
        self,
        *,
        rulesets: Callable[[], Ruleset] = lambda: live.current().ruleset,
        facts: Callable[[str | None], Facts] = facts_of_key,
        clock: Callable[[], datetime] = timezone.now,
    ) -> None:
        super().__init__()
        self._rulesets = rulesets
        self._facts = facts
        self._clock = clock

    def get_metadata(self) -> Metadata:
        return Metadata(name="flags")

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - the interface's
        live.listen(self._changed)

    def shutdown(self) -> None:
        live.stop_listening(self._changed)

    def _changed(self, before: Snapshot | None, after: Snapshot) -> None:
        if before is None:
            return
        old, new = before.ruleset.document, after.ruleset.document
        changed = sorted(
            key
            for key in {*old["flags"], *new["flags"]}
            if old["flags"].get(key) != new["flags"].get(key)
        )
        # A segment or a trait may change the answer of any flag.
        every = old["segments"] != new["segments"] or old["traits"] != new["traits"]
        flags = sorted({*old["flags"], *new["flags"]}) if every else changed
        if flags:
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=flags))

    def _decide(self, flag_key: str, context: EvaluationContext | None) -> Decision:
        context = context or EvaluationContext()
        now, ruleset = self._clock(), self._rulesets()
        facts = self._facts(context.targeting_key or None)
        subject, override = facts.subject, facts.override_at(milliseconds(now))
        said = {name: each for name, each in context.attributes.items() if name not in RESERVED}
        traits = {**subject.traits, **said}
        subject = subject._replace(traits=traits)
        return ruleset.evaluate(flag_key, subject, now=now, override=override)

    def _details(
        self,
        flag_key: str,
        default: Any,
        context: EvaluationContext | None,
        types: tuple[type, ...],
    ) -> FlagResolutionDetails[Any]:
        decision = self._decide(flag_key, context)
        if decision.reason is Reason.ERROR:
            return FlagResolutionDetails(
                default,
                reason=decision.reason,
                error_code=ErrorCode.FLAG_NOT_FOUND,
                error_message=f"There is no flag {flag_key!r}.",
            )
        value = default if decision.variant is None else decision.value
        is_bool = isinstance(value, bool)
        if not isinstance(value, types) or (is_bool and bool not in types):
            wanted = _TYPES.get(types[-1], "an object or a list")
            return FlagResolutionDetails(
                default,
                reason=Reason.ERROR,
                error_code=ErrorCode.TYPE_MISMATCH,
                error_message=f"The flag {flag_key!r} answers {value!r}, not {wanted}.",
            )
        named = {"rule": decision.rule, "segment": decision.segment, "number": decision.number}
        return FlagResolutionDetails(
            float(value) if isinstance(value, int) and float in types else value,
            reason=decision.reason,
            variant=decision.variant,
            flag_metadata={name: fact for name, fact in named.items() if fact is not None},
        )

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001 - the interface's
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        return self._details(flag_key, default_value, evaluation_context, (bool,))

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        return self._details(flag_key, default_value, evaluation_context, (str,))

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        return self._details(flag_key, default_value, evaluation_context, (int,))

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        return self._details(flag_key, default_value, evaluation_context, (int, float))

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Object,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Object]:
        return self._details(flag_key, default_value, evaluation_context, (dict, list))

    async def resolve_boolean_details_async(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001 - the interface's
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        return await _beside_the_loop(
            self.resolve_boolean_details, flag_key, default_value, evaluation_context
        )

    async def resolve_string_details_async(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        return await _beside_the_loop(
            self.resolve_string_details, flag_key, default_value, evaluation_context
        )

    async def resolve_integer_details_async(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        return await _beside_the_loop(
            self.resolve_integer_details, flag_key, default_value, evaluation_context
        )

    async def resolve_float_details_async(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        return await _beside_the_loop(
            self.resolve_float_details, flag_key, default_value, evaluation_context
        )

    async def resolve_object_details_async(
        self,
        flag_key: str,
        default_value: Object,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Object]:
        return await _beside_the_loop(
            self.resolve_object_details, flag_key, default_value, evaluation_context
        )
