"""What every engine is asked: which of three models an account gets, in no engine's own form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tests.benchmarks.measure import Contender

MODELS: Final = ("large", "next", "mini")
# Percent of the accounts that no rule matches.
SPLIT: Final = {"next": 20, "mini": 80}
FLAG: Final = "model"
SEGMENT: Final = "pro-in-de-or-at"
COUNTRIES: Final = ("DE", "AT", "FR", "US", "GB", "JP")
PLANS: Final = ("free", "basic", "pro")


class Account(NamedTuple):
    key: str
    traits: Mapping[str, str]


class Rule(NamedTuple):
    """Either `keys`, or every trait is one of its values; named where it is a segment."""

    model: str
    keys: Sequence[str] = ()
    traits: Mapping[str, Sequence[str]] = {}
    segment: str | None = None


class Workload(NamedTuple):
    """`flags` equal flags, of which the first is asked; rules on keys come first."""

    rules: Sequence[Rule]
    accounts: Sequence[Account]
    flags: int = 1

    @property
    def flag_keys(self) -> list[str]:
        return [FLAG, *(f"{FLAG}-{number}" for number in range(1, self.flags))]


Setup = Callable[[Workload], Contender]


def decide(*, targets: int = 1_000, accounts: int = 10_000, flags: int = 1) -> Workload:
    """A tenth of the accounts is targeted, a ninth of the others is in the segment."""
    targeted = [f"target-{number}" for number in range(targets)]
    tenth = accounts // 10
    asked = [targeted[number * targets // tenth] for number in range(tenth)]
    asked += [f"account-{number}" for number in range(accounts - tenth)]
    # Mixed: neighbours of before are far apart (7,919 is prime).
    mixed = [asked[number * 7_919 % accounts] for number in range(accounts)]
    return Workload(
        [
            Rule("large", keys=targeted),
            Rule("next", traits={"plan": ["pro"], "country": ["DE", "AT"]}, segment=SEGMENT),
        ],
        [Account(key, _traits(key)) for key in mixed],
        flags,
    )


def chain(rules: int, accounts: int) -> Workload:
    """Rules on a trait's equality; every account matches the last one."""
    return Workload(
        [
            Rule("large" if number == rules - 1 else "next", traits={"tier": [f"tier-{number}"]})
            for number in range(rules)
        ],
        [Account(f"account-{number}", {"tier": f"tier-{rules - 1}"}) for number in range(accounts)],
    )


def check(name: str, contender: Contender, workload: Workload) -> None:
    """Accounts that a rule matches get its model; of the others, the split's share gets `next`.

    A contender without a split answers None there.
    """
    keys = [frozenset(rule.keys) for rule in workload.rules]
    drawn: list[Any] = []
    answers = contender.decide(contender.subjects)
    for account, answer in zip(workload.accounts, answers, strict=True):
        expected = _ruled(workload.rules, keys, account)
        if expected is None:
            drawn.append(answer)
        else:
            assert answer == expected, f"{name} gives {account} {answer!r}, not {expected!r}"
    if set(drawn) - {None}:
        assert set(drawn) == set(SPLIT), f"{name} draws {set(drawn)}"
        percent = 100 * drawn.count("next") / len(drawn)
        tolerance = 300 / math.sqrt(len(drawn))  # seven standard deviations
        assert abs(percent - SPLIT["next"]) < tolerance, f"{name} gives {percent:.1f} % next"


def _traits(key: str) -> Mapping[str, str]:
    number = int(key.rpartition("-")[2])
    return {"plan": PLANS[number % 3], "country": COUNTRIES[number // 3 % 6]}


def _ruled(rules: Sequence[Rule], keys: Sequence[frozenset[str]], account: Account) -> str | None:
    for rule, its_keys in zip(rules, keys, strict=True):
        if account.key in its_keys or (
            rule.traits
            and all(account.traits.get(name) in rule.traits[name] for name in rule.traits)
        ):
            return rule.model
    return None
