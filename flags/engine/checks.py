"""What a document of the right shape must also mean: every doubt is refused when it is written.

Over 200 lines: every refusal of a well-shaped document stands here, each once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, Final, NamedTuple

from flags.engine.clauses import OPERATORS, may_fold
from flags.engine.document import (
    Clause,
    CompareClause,
    Document,
    Flag,
    Rule,
    Segment,
    Serve,
    ShareClause,
)
from flags.engine.problems import Code, Path, Problems
from flags.engine.times import moment_ms
from flags.engine.traits import ELEMENTS, KEY, Type

MAX_NESTING: Final = 20
MAX_WORK: Final = 200_000

# How values are written whose type's name does not say it.
_WRITTEN: Final = {
    "time": ", RFC 3339 with a zone or epoch milliseconds",
    "ver": ", one to three numbers without a leading v",
    "network": ", an address and a length without bits below it",
    "duration": ": a number and s, m, h, d or w, such as 14d",
}
# What is compared with, where it is not what the trait is.
_VALUES: Final = {"cidr": "network", "within": "duration"}
_HOLDS_FOR_ALL: Final = frozenset({"prefix", "suffix", "contains"})
# Operators that look at one value after the other.
_SCANNED: Final = frozenset({"prefix", "suffix", "contains", "glob", "cidr"})
# A segment or a flag, by section and key.
Node = tuple[str, str]


class _Reference(NamedTuple):
    """What a node asks: the other node, where, and how deep in groups."""

    target: Node
    path: Path
    depth: int


def check_meaning(
    document: Document, vocabularies: Mapping[str, Collection[str]] | None, problems: Problems
) -> None:
    """Add to `problems` what is wrong with a document that has the right shape."""
    _Check(document, vocabularies, problems).everything()


class _Check:
    def __init__(
        self,
        document: Document,
        vocabularies: Mapping[str, Collection[str]] | None,
        problems: Problems,
    ) -> None:
        self.document = document
        self.vocabularies = vocabularies
        self.add = problems.add
        self.types = trait_types(document)
        self.references: dict[Node, list[_Reference]] = {}
        self.clauses: dict[Node, int] = {}
        self.groups: dict[str, list[tuple[Path, ShareClause]]] = {}
        self.node: Node = ("", "")

    def everything(self) -> None:
        if KEY in self.document["traits"]:
            self.add(Code.RESERVED_TRAIT, ("traits", KEY), KEY)
        for key, segment in self.document["segments"].items():
            self._enter("segments", key)
            self._segment(segment, ("segments", key))
        for key, flag in self.document["flags"].items():
            self._enter("flags", key)
            self._flag(key, flag, ("flags", key))
        self._exclusion_groups()
        self._circles_and_depth()

    def _enter(self, section: str, key: str) -> None:
        self.node = (section, key)
        self.references[self.node] = []
        self.clauses[self.node] = 1

    def _segment(self, segment: Segment, at: Path) -> None:
        included = set(segment["include"])
        for index, key in enumerate(segment["exclude"]):
            if key in included:
                self.add(Code.IN_AND_OUT, (*at, "exclude", index), key)
        self._groups(segment["rules"], (*at, "rules"), 0)

    def _flag(self, key: str, flag: Flag, at: Path) -> None:
        self._variants(flag, at)
        for name, variant in (("force", flag["force"]), ("off", flag["off"])):
            if variant is not None:
                self._variant(key, variant, (*at, name))
        for index, required in enumerate(flag["requires"]):
            path = (*at, "requires", index)
            self._named_flag(required["flag"], (*path, "flag"), 0)
            for number, variant in enumerate(required.get("variants", ())):
                self._variant(required["flag"], variant, (*path, "variants", number))
        self._rules(key, flag["rules"], (*at, "rules"))
        if flag["default"] is not None:
            self._serve(key, flag["default"], (*at, "default"))

    def _variants(self, flag: Flag, at: Path) -> None:
        kind, vocabulary = flag["kind"], flag.get("vocabulary")
        known: Collection[str] | None = None
        if vocabulary is not None and kind != "str":
            self.add(Code.NO_VOCABULARY, (*at, "vocabulary"), vocabulary)
        elif vocabulary is not None and self.vocabularies is not None:
            known = self.vocabularies.get(vocabulary)
            if known is None:
                self.add(Code.UNKNOWN_VOCABULARY, (*at, "vocabulary"), vocabulary)
        if not flag["variants"] and vocabulary is None:
            self.add(Code.EMPTY, (*at, "variants"), flag["variants"])
        for key, value in flag["variants"].items():
            path = (*at, "variants", key)
            if not is_of_kind(value, kind):
                self.add(Code.NOT_OF_KIND, path, value, kind=kind)
            elif known is not None and value not in known:
                self.add(Code.NOT_IN_VOCABULARY, path, value, vocabulary=vocabulary)

    def _rules(self, flag: str, rules: Sequence[Rule], at: Path) -> None:
        ids: set[str] = set()
        catch_all: str | None = None
        for index, rule in enumerate(rules):
            path = (*at, index)
            if rule["id"] in ids:
                self.add(Code.DUPLICATE_RULE, (*path, "id"), rule["id"])
            ids.add(rule["id"])
            if catch_all is not None:
                self.add(Code.UNREACHABLE, path, rule["id"], rule=catch_all)
            elif not rule["when"] and rule.get("from") is None and rule.get("until") is None:
                catch_all = rule["id"]
            self._group(rule["when"], (*path, "when"), 0)
            self._window(rule, path)
            self._exclusion(rule, path)
            self._serve(flag, rule["serve"], (*path, "serve"))

    def _window(self, rule: Rule, at: Path) -> None:
        start = self._moment(rule.get("from"), (*at, "from"))
        end = self._moment(rule.get("until"), (*at, "until"))
        if start is not None and end is not None and end <= start:
            self.add(Code.REVERSED, (*at, "until"), rule.get("until"), start=rule.get("from"))

    def _moment(self, value: object, at: Path) -> int | None:
        parsed = moment_ms(value)
        if parsed is None and value is not None:
            self.add(Code.NOT_A_TIME, at, value)
        return parsed

    def _exclusion(self, rule: Rule, at: Path) -> None:
        group = rule.get("group")
        if group is None:
            return
        shares = [
            ((*at, "when", index), clause)
            for index, clause in enumerate(rule["when"])
            if clause["op"] == "share"
        ]
        if len(shares) != 1 or shares[0][1].get("not", False):
            self.add(Code.GROUP_SHARE, (*at, "group"), group)
        else:
            self.groups.setdefault(group, []).extend(shares)

    def _exclusion_groups(self) -> None:
        for group, shares in self.groups.items():
            salt, by = shares[0][1]["salt"], shares[0][1].get("by", KEY)
            for path, share in shares:
                if (share["salt"], share.get("by", KEY)) != (salt, by):
                    self.add(Code.GROUP_SALT, path, share["salt"], group=group, salt=salt, by=by)
            filled = [each for each in shares if each[1].get("from", 0) < each[1]["to"]]
            filled.sort(key=lambda each: each[1].get("from", 0))
            for (before, earlier), (path, later) in pairwise(filled):
                if later.get("from", 0) < earlier["to"]:
                    other = f"the rule {before[3]} of the flag {before[1]!r}"
                    self.add(Code.GROUP_OVERLAP, path, group, group=group, other=other)

    def _serve(self, flag: str, serve: Serve, at: Path) -> None:
        if "variant" in serve:
            self._variant(flag, serve["variant"], (*at, "variant"))
            return
        for variant in serve["split"]:
            self._variant(flag, variant, (*at, "split", variant))
        self._by(serve.get("by"), (*at, "by"))

    def _variant(self, flag: str, variant: str, at: Path) -> None:
        known = self.document["flags"].get(flag)
        if known is not None and variant not in known["variants"]:
            self.add(Code.UNKNOWN_VARIANT, at, variant, flag=flag)

    def _by(self, trait: str | None, at: Path) -> None:
        kind = None if trait is None else self._trait(trait, at)
        if kind not in {None, Type.STR}:
            self.add(Code.NOT_TEXT, at, trait, type=kind)

    def _trait(self, trait: str, at: Path) -> Type | None:
        kind = self.types.get(trait)
        if kind is None:
            self.add(Code.UNKNOWN_TRAIT, at, trait)
        return kind

    def _groups(self, groups: Sequence[Sequence[Clause]], at: Path, depth: int) -> None:
        for index, group in enumerate(groups):
            self._group(group, (*at, index), depth)

    def _group(self, group: Sequence[Clause], at: Path, depth: int) -> None:
        for index, clause in enumerate(group):
            self.clauses[self.node] += 1
            self._clause(clause, (*at, index), depth)

    def _clause(self, clause: Clause, at: Path, depth: int) -> None:
        if clause["op"] == "any":
            if depth == MAX_NESTING:
                self.add(Code.TOO_DEEP, at, None, limit=MAX_NESTING)
            else:
                self._groups(clause["values"], (*at, "values"), depth + 1)
        elif clause["op"] == "segment":
            for index, key in enumerate(clause["values"]):
                self._named_segment(key, (*at, "values", index), depth)
        elif clause["op"] == "flag":
            for index, value in enumerate(clause["values"]):
                self._flag_value(value, (*at, "values", index), depth)
        elif clause["op"] == "share":
            self._share(clause, at)
        else:
            kind = self._trait(clause["trait"], (*at, "trait"))
            if kind is not None and clause["op"] != "exists":
                self._compare(clause, kind, at)

    def _named_segment(self, key: str, at: Path, depth: int) -> None:
        if key not in self.document["segments"]:
            self.add(Code.UNKNOWN_SEGMENT, at, key)
        else:
            self.references[self.node].append(_Reference(("segments", key), at, depth))

    def _flag_value(self, value: str, at: Path, depth: int) -> None:
        flag, names_variant, variant = value.partition("=")
        self._named_flag(flag, at, depth)
        if names_variant:
            self._variant(flag, variant, at)

    def _named_flag(self, flag: str, at: Path, depth: int) -> None:
        if flag not in self.document["flags"]:
            self.add(Code.UNKNOWN_FLAG, at, flag)
        else:
            self.references[self.node].append(_Reference(("flags", flag), at, depth))

    def _compare(self, clause: CompareClause, kind: Type, at: Path) -> None:
        op, values = clause["op"], clause["values"]
        compared = OPERATORS[op]
        if kind not in compared.types:
            self.add(Code.WRONG_OPERATOR, (*at, "op"), op, trait=clause["trait"], type=kind)
            return
        if compared.takes_one and len(values) != 1:
            self.add(Code.ONE_VALUE, (*at, "values"), values, op=op, count=len(values))
        if clause.get("fold", False) and not may_fold(op, kind):
            self.add(Code.NO_FOLD, (*at, "fold"), True, op=op, type=kind)  # noqa: FBT003
        if op in _SCANNED:
            self.clauses[self.node] += len(values)
        parse = compared.parser(kind)
        wanted = _VALUES.get(op, ELEMENTS[kind].value)
        wanted += _WRITTEN.get(wanted, "")
        for index, value in enumerate(values):
            if parse(value) is None:
                self.add(Code.TYPE_MISMATCH, (*at, "values", index), value, type=wanted)
            elif value == "" and op in _HOLDS_FOR_ALL:
                self.add(Code.EMPTY_TEXT, (*at, "values", index), value, op=op)

    def _share(self, share: ShareClause, at: Path) -> None:
        self._by(share.get("by"), (*at, "by"))
        start, end = share.get("from", 0), share["to"]
        if end < start:
            self.add(Code.OUT_OF_RANGE, (*at, "to"), end, why=f"it is less than `from`, {start}")
        before: tuple[int | None, int] = (None, 0)
        for index, (at_text, ppm) in enumerate(share.get("ramp", ())):
            path = (*at, "ramp", index)
            reached = self._moment(at_text, (*path, 0))
            if at_text is None:
                self.add(Code.NOT_A_TIME, (*path, 0), None)
            if reached is not None and before[0] is not None and reached <= before[0]:
                self.add(Code.RAMP_ORDER, (*path, 0), at_text)
            if ppm < before[1]:
                self.add(Code.RAMP_DECREASES, (*path, 1), ppm)
            if ppm > end:
                self.add(Code.RAMP_ABOVE_SHARE, (*path, 1), ppm, end=end)
            before = (reached, ppm)

    def _circles_and_depth(self) -> None:
        """One question may nest and cost so much, through segments and flags, and no more."""
        order = self._order()
        depths: dict[Node, int] = {}
        work: dict[Node, int] = {}
        for node in order:
            references = self.references[node]
            depths[node] = max(
                (each.depth + 1 + depths[each.target] for each in references), default=0
            )
            work[node] = self.clauses[node] + sum(work[each.target] for each in references)
            if depths[node] > MAX_NESTING:
                self.add(Code.TOO_DEEP, node, None, limit=MAX_NESTING)
                return
            if work[node] > MAX_WORK:
                self.add(Code.TOO_MUCH_WORK, node, work[node], limit=MAX_WORK)
                return

    def _order(self) -> Sequence[Node]:
        """Every node after those that it asks; none where they go in a circle."""
        graph = {
            node: [each.target for each in references]
            for node, references in self.references.items()
        }
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle: list[Node] = error.args[1][:-1]
        circle.reverse()
        first = circle.index(min(circle, key=list(self.references).index))
        circle = [*circle[first:], *circle[: first + 1]]
        path = next(each.path for each in self.references[circle[0]] if each.target == circle[1])
        names = " → ".join(f"{section[:-1]} {key}" for section, key in circle)
        self.add(Code.CYCLE, path, circle[1][1], circle=names)
        return []


def trait_types(document: Document) -> dict[str, Type]:
    """The declared traits, and the account's key."""
    return {**{name: Type(kind) for name, kind in document["traits"].items()}, KEY: Type.STR}


def is_of_kind(value: Any, kind: str) -> bool:
    """Whether a flag of this kind may answer the value."""
    if kind == "json":
        return True
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    return isinstance(value, {"str": str, "int": int, "num": int | float}[kind])
