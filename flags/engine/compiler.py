"""Document -> Ruleset: immutable and indexed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from weakref import ref

from flags.engine.boundaries import boundaries, own_boundaries, withins
from flags.engine.checks import trait_types
from flags.engine.clauses import (
    Members,
    Scope,
    compile_segment,
)
from flags.engine.decider import Asking, Decide, Deciders, Plan, decider, on_copies
from flags.engine.decision import Decision, ErrorCode, Override, Reason, Subject, Usable
from flags.engine.document import Document, Flag, named
from flags.engine.plans import plan
from flags.engine.times import milliseconds
from flags.engine.trail import Question, explain
from flags.engine.upgrade import upgraded


class _Deciders(dict[str, Decide]):
    """Each flag's, built when it is first asked for.

    They refer back weakly, so that a ruleset that nobody uses is freed at once, without Python's
    garbage collector.
    """

    def __init__(self, plans: Mapping[str, Plan], number: int | None) -> None:
        self._plans, self._number = plans, number

    def __missing__(self, flag: str) -> Decide:
        back: Deciders = ref(self)
        decide = self[flag] = decider(self._plans[flag], self._number, back)
        return decide


class Ruleset:
    """A compiled document. Threads may share it."""

    __slots__ = ("_deciders", "_plans", "_segments", "_withins", "document", "number")

    def __init__(
        self, document: Document, plans: Mapping[str, Plan], segments: Mapping[str, Members]
    ) -> None:
        self.document = document
        self.number = document["number"]
        self._plans = plans
        self._segments = segments
        self._deciders = _Deciders(plans, self.number)
        self._withins: frozenset[tuple[str, int]] | None = None

    def evaluate(  # noqa: PLR0913  (keywords, each by itself)
        self,
        flag: str,
        subject: Subject,
        *,
        now: int | datetime,
        override: Override | None = None,
        usable: Usable | None = None,
        trail: bool = False,
    ) -> Decision:
        """The flag's answer for the subject; `now` is epoch milliseconds or an aware datetime.

        A key that is not text is no key. Raises TypeError for a `now` that is neither.
        """
        if flag not in self._plans:
            code = ErrorCode.FLAG_NOT_FOUND
            return Decision(None, None, Reason.ERROR, flag, None, None, code, self.number)
        key, traits = subject
        if type(key) is not str and not isinstance(key, str):
            key = None
        now_ms = now if type(now) is int else milliseconds(now)
        decision = self._deciders[flag](key, traits, now_ms, override, usable, None)
        if not trail:
            return decision
        question = Question(
            key,
            traits,
            now_ms,
            Asking(self._deciders, key, traits, now_ms, override),
            on_copies(usable) if self._plans[flag].flag["kind"] == "json" else usable,
            self._segments,
        )
        *steps, last = explain(self._plans[flag], question, override)
        last = last._replace(variant=last.variant or decision.variant)
        return decision._replace(trail=(*steps, last))

    def decider(self, flag: str, usable: Usable | None = None) -> Decide:
        """What `evaluate` asks, for callers who ask often; raises KeyError for an unknown flag.

        `usable` is asked once of each value that comes up: what it refuses is left out for every
        subject.
        """
        deciders = self._deciders
        return decider(self._plans[flag], self.number, lambda: deciders, usable)

    def next_boundary(self, now: int | datetime) -> int | None:
        """The first moment after `now`, in epoch milliseconds, at which time may change an answer.

        For every subject; `own_boundary` has those of one. Reads the whole document.
        """
        now_ms = now if type(now) is int else milliseconds(now)
        later = (moment for moment in boundaries(self.document, now_ms) if moment > now_ms)
        return min(later, default=None)

    def own_boundary(self, subject: Subject, now: int | datetime) -> int | None:
        """The same for what `within` asks of the subject's own times."""
        if self._withins is None:
            self._withins = withins(self.document)
        if not self._withins:
            return None
        now_ms = now if type(now) is int else milliseconds(now)
        moments = own_boundaries(self._withins, subject.traits)
        return min((moment for moment in moments if moment > now_ms), default=None)


def compile(document: Document, previous: Ruleset | None = None) -> Ruleset:  # noqa: A001  (the word for it)
    """The document, ready to evaluate; what did not change since `previous` is taken from there."""
    document = upgraded(document)
    if previous is not None and not _is_kept(previous.document, document):
        previous = None
    booleans = {key for key, flag in document["flags"].items() if flag["kind"] == "bool"}
    segments: dict[str, Members] = {}
    scope = Scope(trait_types(document), segments, frozenset(booleans))
    for key in document["segments"]:
        _add_segment(key, document, scope, segments, previous)
    plans = {
        key: _kept_plan(key, flag, segments, previous) or plan(key, flag, scope)
        for key, flag in document["flags"].items()
    }
    return Ruleset(document, plans, segments)


def _is_kept(before: Document, after: Document) -> bool:
    """Whether all that names a trait or a flag means what it meant."""
    flags = before["flags"]
    return before["traits"] == after["traits"] and all(
        key not in flags or flags[key]["kind"] == flag["kind"]
        for key, flag in after["flags"].items()
    )


def _add_segment(
    key: str,
    document: Document,
    scope: Scope,
    segments: dict[str, Members],
    previous: Ruleset | None,
) -> None:
    """The segment, after those that it names."""
    if key in segments:
        return
    segment = document["segments"][key]
    nested = named("segment", segment["rules"])
    for other in nested:
        _add_segment(other, document, scope, segments, previous)
    if previous is not None and previous.document["segments"].get(key) == segment:
        kept = previous._segments
        if all(segments[other] is kept.get(other) for other in nested):
            segments[key] = kept[key]
            return
    segments[key] = compile_segment(segment, scope)


def _is_same(one: Flag, other: Flag) -> bool:
    return one == other and repr(one["variants"]) == repr(other["variants"])  # 1 == 1.0 == True


def _kept_plan(
    key: str, flag: Flag, segments: Mapping[str, Members], previous: Ruleset | None
) -> Plan | None:
    plan = None if previous is None else previous._plans.get(key)
    if plan is None or (plan.flag is not flag and not _is_same(plan.flag, flag)):
        return None
    is_same = all(segments[other] is members for other, members in plan.segments.items())
    return plan if is_same else None
