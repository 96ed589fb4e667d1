"""The rule language read a second time, slowly: an accepted document in, the decision out."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import xxhash

Json = Mapping[str, Any]
Truth = bool | None  # None is UNKNOWN
Answer = tuple[Any, str | None, str, str | None, str | None]
Override = Callable[[str], str | None]
Usable = Callable[[Any], Any]

TIME = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)
NUMBER = r"(?:0|[1-9]\d{0,17})"
WORD = r"\d*[A-Za-z-][0-9A-Za-z-]*"
BUILD = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
PRE = rf"(?:{NUMBER}|{WORD})(?:\.(?:{NUMBER}|{WORD}))*"
VERSION = re.compile(rf"({NUMBER}(?:\.{NUMBER}){{0,2}})(?:-({PRE}))?(?:\+{BUILD})?", re.ASCII)


def negate(truth: Truth) -> Truth:
    return None if truth is None else not truth


def some(truths: Iterable[Truth]) -> Truth:
    seen = list(truths)
    return True if True in seen else None if None in seen else False


def every(truths: Iterable[Truth]) -> Truth:
    return negate(some(map(negate, truths)))


def require(condition: bool) -> None:
    if not condition:
        raise ValueError


def read(type_: str, raw: Any) -> Any:
    """A value that Python compares as the language does; ValueError where it has another type."""
    if type_.startswith("["):
        require(isinstance(raw, list | tuple))
        return [read(type_[1:-1], element) for element in raw]
    if type_ in READERS:
        return READERS[type_](raw)
    require(isinstance(raw, {"str": str, "bool": bool}[type_]))
    return raw


def read_num(raw: Any) -> Any:
    require(isinstance(raw, int | float) and not isinstance(raw, bool))
    require(isinstance(raw, int) or math.isfinite(raw))
    return raw


def read_time(raw: Any) -> int:
    """Whole milliseconds since 1970, floored."""
    if isinstance(raw, datetime):
        require(raw.utcoffset() is not None)
        return int((raw - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))
    if not isinstance(raw, str):
        require(isinstance(raw, int) and not isinstance(raw, bool))
        return int(raw)
    require(TIME.fullmatch(raw) is not None)
    return read_time(datetime.fromisoformat(raw.upper()))


def read_ver(raw: Any) -> Any:
    """SemVer's precedence: numbers, then a pre-release before its release; the build is ignored."""
    match = VERSION.fullmatch(read("str", raw))
    require(match is not None and len(raw) <= 256)
    numbers, pre = match.groups()  # type: ignore[union-attr]
    release = [int(digits) for digits in [*numbers.split("."), "0", "0"][:3]]
    if pre is None:
        return release, 1, []
    return release, 0, [(0, int(i)) if i.isdigit() else (1, i) for i in pre.split(".")]


def read_ip(raw: Any) -> Any:
    require(isinstance(raw, str) and "%" not in raw)
    return ipaddress.ip_address(raw)


READERS: dict[str, Callable[[Any], Any]] = {
    "num": read_num,
    "time": read_time,
    "ver": read_ver,
    "ip": read_ip,
}


def glob(text: str, pattern: str) -> bool:
    return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL))


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "in": operator.eq,
    **{op: getattr(operator, op) for op in ("lt", "le", "gt", "ge")},
    "prefix": str.startswith,
    "suffix": str.endswith,
    "contains": operator.contains,
    "glob": glob,
    "cidr": lambda address, network: address in ipaddress.ip_network(network),
}


def hash_r1(salt: str, key: str) -> int:
    seed = int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "big")
    return xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"), seed=seed)


def draw(salt: str, key: str, weights: Mapping[str, float]) -> str:
    u = {v: ((hash_r1(f"{salt}\0{v}", key) >> 11) + 0.5) * 2**-53 for v in weights}
    return min(weights, key=lambda v: (-math.log(u[v]) / weights[v], v))


def ramp_ppm(ramp: list[list[Any]], now_ms: int) -> int:
    points = [(read_time(at), int(ppm)) for at, ppm in ramp]
    if now_ms < points[0][0]:
        return 0
    for (start, low), (end, high) in pairwise(points):
        if start <= now_ms < end:
            return low + (high - low) * (now_ms - start) // (end - start)
    return points[-1][1]


@dataclass(frozen=True, slots=True)
class Referee:
    document: Json
    key: str | None
    traits: Json
    now_ms: int
    override: Override

    def decide(self, flag_key: str, usable: Usable) -> Answer:
        flag = self.document["flags"].get(flag_key)
        if flag is None:
            return None, None, "ERROR", None, None
        for reason, serve, rule in self.steps(flag_key, flag):
            variant = self.pick(flag_key, flag, serve, usable)
            if variant is not None or rule is None:  # a rule that cannot serve is passed over
                by = (
                    (None, None) if rule is None else (rule["id"], self.named_segment(rule["when"]))
                )
                said = "SPLIT" if "split" in serve else reason
                return flag["variants"].get(variant), variant, said, *by
        raise AssertionError

    def steps(self, flag_key: str, flag: Json) -> Iterator[tuple[str, Json, Json | None]]:
        if flag.get("force") is not None:
            yield "FORCED", {"variant": flag["force"]}, None
        elif not flag.get("on", True):
            yield "OFF", {"variant": flag["off"]}, None
        elif not all(self.holds(need["flag"], need.get("variants")) for need in flag["requires"]):
            yield "PREREQUISITE", {"variant": flag["off"]}, None
        elif (overridden := self.override(flag_key)) is not None:
            yield "OVERRIDE", {"variant": overridden}, None
        else:
            for rule in flag["rules"]:
                salt = flag.get("salt") or flag_key
                if self.in_window(rule) and self.all_of(rule["when"], salt) is True:
                    yield "RULE", rule["serve"], rule
            yield (
                ("ABSTAINED" if flag["default"] is None else "DEFAULT"),
                flag["default"] or {},
                None,
            )

    def pick(self, flag_key: str, flag: Json, serve: Json, usable: Usable) -> str | None:
        values, wanted = flag["variants"], serve.get("split", {serve.get("variant"): 1})
        weights = {v: w for v, w in wanted.items() if v in values and usable(values[v]) is None}
        if "split" not in serve:
            return next(iter(weights), None)
        key = self.bucket_key(serve)
        salt = serve.get("salt") or flag.get("salt") or flag_key
        return draw(salt, key, weights) if key is not None and weights else None

    def holds(self, flag_key: str, variants: list[str] | None) -> bool:
        value, variant, reason, _, _ = self.decide(flag_key, lambda _value: None)
        is_boolean = self.document["flags"][flag_key]["kind"] == "bool"
        if variants is None and is_boolean and self.document["schema"] == 2:
            return value is True
        if variant is None or reason in {"OFF", "PREREQUISITE", "ABSTAINED", "ERROR"}:
            return False
        return variants is None or variant in variants

    def in_window(self, rule: Json) -> bool:
        start, end = (rule.get(edge) for edge in ("from", "until"))
        started = start is None or read_time(start) <= self.now_ms
        return started and (end is None or self.now_ms < read_time(end))

    def named_segment(self, when: list[Json]) -> str | None:
        named = [c["values"] for c in when if c["op"] == "segment" and not c.get("not", False)]
        return next((name for name in (named or [[]])[0] if self.in_segment(name)), None)

    def in_segment(self, name: str) -> Truth:
        segment = self.document["segments"][name]
        if self.key in segment["exclude"] or self.key in segment["include"]:
            return self.key not in segment["exclude"]
        return some(self.all_of(group, name) for group in segment["rules"])

    def all_of(self, clauses: list[Json], salt: str) -> Truth:
        return every(self.clause(clause, salt) for clause in clauses)

    def raw(self, trait: str) -> Any:
        return self.key if trait == "key" else self.traits.get(trait)

    def bucket_key(self, by: Json) -> str | None:
        raw = self.raw(by.get("by") or "key")
        return raw if isinstance(raw, str) else None

    def clause(self, clause: Json, salt: str) -> Truth:
        op = clause["op"]
        if (op in COMPARE or op == "within") and self.raw(clause["trait"]) is None:
            return clause.get("absent")  # never flipped
        ask = self.compare if op in COMPARE or op in {"exists", "within"} else self.nested
        truth = ask(clause, salt)
        return negate(truth) if clause.get("not", False) else truth

    def nested(self, clause: Json, salt: str) -> Truth:
        if clause["op"] == "any":
            return some(self.all_of(group, salt) for group in clause["values"])
        if clause["op"] == "segment":
            return some(map(self.in_segment, clause["values"]))
        if clause["op"] == "flag":
            wanted = (value.partition("=") for value in clause["values"])
            return any(self.holds(flag, [variant] if eq else None) for flag, eq, variant in wanted)
        key = self.bucket_key(clause)
        if key is None:
            return None
        end = ramp_ppm(clause["ramp"], self.now_ms) if clause.get("ramp") else clause["to"]
        bucket = hash_r1(clause.get("salt") or salt, key) * 10**6 >> 64
        return bool(clause.get("from", 0) <= bucket < end)

    def compare(self, clause: Json, _salt: str) -> Truth:
        type_ = self.document["traits"].get(clause["trait"], "str")
        raw, op = self.raw(clause["trait"]), clause["op"]
        if raw is None:
            return False  # only `exists` comes here without a value
        try:
            given = read(type_, raw)
        except ValueError:
            return None
        if op == "exists":
            return True
        if op == "within":
            count, unit = int(clause["values"][0][:-1]), clause["values"][0][-1]
            lasts = count * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit] * 1000
            return bool(self.now_ms - lasts < given <= self.now_ms)
        wanted = [v if op == "cidr" else read(type_.strip("[]"), v) for v in clause["values"]]
        givens = given if isinstance(given, list) else [given]
        if clause.get("fold", False):
            wanted, givens = [w.casefold() for w in wanted], [g.casefold() for g in givens]
        return any(COMPARE[op](g, w) for w in wanted for g in givens)


def decide(
    document: Json,
    flag: str,
    key: str | None,
    traits: Json,
    now_ms: int,
    override: Override | None = None,
    usable: Usable | None = None,
) -> Answer:
    """Value, variant, reason, rule id, segment."""
    referee = Referee(document, key, traits, now_ms, override or (lambda _flag: None))
    return referee.decide(flag, usable or (lambda _value: None))
