"""What a sound flag, segment or account says in vain: told where it is typed, and not refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from django.core.exceptions import ValidationError

from flags.accounts.reading import account_model
from flags.document.words import rule_words, value_text
from flags.engine.bucketing import PPM
from flags.engine.clauses import parser_and_test
from flags.engine.traits import ELEMENTS, KEY, LISTS, PARSERS, Type
from flags.models import Trait
from flags.models.keys import check_key
from flags.registry import kept_flags, trait_values

Json = Mapping[str, Any]
_SHOWN: Final = 5
# How alike a name is to the one that was meant: a letter or two of it.
_ALIKE: Final = 0.85
# A share that ends below this was most likely meant in percent.
_PERCENT: Final = 100


def of_flag(name: str, flag: Json) -> Iterator[str]:
    """Of an exported flag."""
    kept = kept_flags()
    meant = [] if name in kept else get_close_matches(name, kept, 1, _ALIKE)
    if meant:
        yield f"no task asks a flag {name}; there is {meant[0]}."
    for rule in flag["rules"]:
        where = rule_words(rule)
        for sentence in _of_groups([rule["when"]]):
            yield f"{where}: {sentence}"
        yield from (f"{where}: {sentence}" for sentence in _of_serve(rule["serve"]))
    yield from (f"default: {sentence}" for sentence in _of_serve(flag["default"]))


def of_segment(segment: Json) -> Iterator[str]:
    """Of an exported segment."""
    for which in ("include", "exclude"):
        yield from (f"{which}d: {sentence}" for sentence in _of_keys(segment[which]))
    yield from _of_groups(segment["rules"])


def of_traits(traits: Json) -> Iterator[str]:
    """Of what an account says of itself."""
    declared = dict(Trait.objects.values_list("name", "type"))
    for name, value in traits.items():
        if name not in declared:
            yield f"No trait {name!r} is declared, so no rule can ask it."
        elif value is not None and not _is_typed(Type(declared[name]), value):
            yield (
                f"{name} is declared as {declared[name]}, so {value_text(value)} matches no rule."
            )


def _is_typed(kind: Type, value: object) -> bool:
    parse = PARSERS[ELEMENTS[kind]]
    if kind in LISTS:
        return isinstance(value, list) and None not in map(parse, value)
    return parse(value) is not None


def _of_serve(serve: Json | None) -> Iterator[str]:
    if serve and len(serve.get("split", ())) == 1:
        (variant,) = serve["split"]
        yield f"a split with {variant} alone serves it to every account, whatever its weight."


def _of_groups(groups: Iterable[Iterable[Any]]) -> Iterator[str]:
    yield from _of_each(groups, _Known())


class _Known(dict[str, set[str]]):
    """What accounts have of a trait whose values are known; one query each."""

    def __missing__(self, trait: str) -> set[str]:
        self[trait] = {value for value in trait_values()[trait]() if value}
        return self[trait]


def _of_each(groups: Iterable[Iterable[Any]], known: _Known) -> Iterator[str]:
    for group in groups:
        clauses = [*group]
        yield from _of_clauses(clauses, known)
        yield from _of_contradictions(clauses, known)
        for clause in clauses:
            if clause["op"] == "any":
                yield from _of_each(clause["values"], known)


def _of_clauses(clauses: Iterable[Any], known: _Known) -> Iterator[str]:
    for clause in clauses:
        if clause["op"] == "share":
            yield from _of_share(clause.get("from", 0), clause["to"])
        elif clause["op"] == "in" and clause["trait"] == KEY:
            yield from _of_keys(clause["values"])
        elif clause["op"] in _HAS and clause["trait"] in trait_values():
            has = _HAS[clause["op"]].format(clause["trait"])
            for value in clause["values"]:
                if not _fitting({**clause, "values": [value], "not": False}, known):
                    yield f"no account has {has} “{value}”."


_HAS: Final = {
    "in": "the {}",
    "prefix": "a {} that begins with",
    "suffix": "a {} that ends with",
    "contains": "a {} that contains",
    "glob": "a {} like",
}


def _of_share(begins: int, ends: int) -> Iterator[str]:
    size = ends - begins
    if not size and begins:
        yield f"a share from {begins} to {ends} has no accounts."
    elif 0 < size < _PERCENT:
        yield (
            f"a share of {size} is {size * 100 / PPM:g} % of the accounts; "
            f"{size} % is {size * PPM // 100}."
        )


def _of_contradictions(clauses: Iterable[Any], known: _Known) -> Iterator[str]:
    """Of conditions on one trait that no known value fits together."""
    by_trait: dict[str, list[Any]] = {}
    for clause in clauses:
        if clause["op"] in _HAS and clause["trait"] in trait_values():
            by_trait.setdefault(clause["trait"], []).append(clause)
    for trait, asked in by_trait.items():
        fits = [_fitting(each, known) for each in asked]
        is_told = any(
            not fit and not each.get("not") for fit, each in zip(fits, asked, strict=True)
        )
        if len(asked) > 1 and not is_told and not set.intersection(*fits):
            yield f"no account has a {trait} that fits its {len(asked)} conditions together."


def _fitting(clause: Any, known: _Known) -> set[str]:
    """The known values for which the clause holds."""
    _, test = parser_and_test(clause, Type.STR)
    is_negated = clause.get("not", False)
    return {value for value in known[clause["trait"]] if test(value) is not is_negated}


def _of_keys(keys: Iterable[str]) -> Iterator[str]:
    wanted = list(keys)
    possible = []
    for key in wanted:
        try:
            check_key(key)
            possible.append(key)
        except ValidationError:
            yield f"no account can have the key “{key}”."
    there: set[str] = set()
    rows = account_model()._base_manager
    for at in range(0, len(possible), 500):
        some = possible[at : at + 500]
        there |= {*rows.filter(key__in=some).values_list("key", flat=True)}
    missing = [key for key in possible if key not in there]
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        names = ", ".join(f"“{key}”" for key in missing[:_SHOWN])
        yield f"no account has the key {names}{more}."
