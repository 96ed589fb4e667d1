"""`usage`, `roll_up` and `receipts`: what they print, and what they refuse."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.management import call_command

from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import DailyUsage, Receipt
from tests.conftest import Manage
from tests.igny8_core.modules.test_usage import receipt
from tests.igny8_core.modules.usage.test_reports import adjust, at

pytestmark = pytest.mark.django_db
REQUEST = UUID(int=7)


@pytest.fixture
def calls(manage: Manage, acme_of_demo: Account) -> Account:
    """Three in March 2025, for acme, two of them by a provider that reports its cost."""
    for number, model in enumerate(["gpt-4o", "gpt-4o", "gpt-4.1"]):
        receipt(
            acme_of_demo,
            created_at=at() + timedelta(minutes=number),
            request_id=UUID(int=7 + number),
            model_asked=model,
            run=f"run-{number}",
            latency_ms=[100, 2_000, 30][number],
            input_tokens=1_000,
            output_tokens=50,
            charge=Decimal("0.15"),
            cost_computed=Decimal("0.1"),
            cost_reported=[Decimal("0.1"), Decimal("0.13"), None][number],
        ).save()
    return acme_of_demo


@pytest.fixture
def acme_of_demo(manage: Manage) -> Account:
    return Account.objects.by_key("acme")


# usage


def test_usage__month__is_a_table(manage: Manage, calls: Account) -> None:
    told = manage("usage", "2025-03").stdout.splitlines()
    assert told[0].split()[:3] == ["account", "model", "calls"]
    assert [" ".join(line.split()) for line in told[2:]] == [
        "acme gpt-4.1 1 0 0 29 29 1,000 50 0 0.10 0.15 0.05",
        "acme gpt-4o 2 0 0 99 1,877 2,000 100 0 0.20 0.30 0.10",
    ]
    assert manage("usage", "2025-02").stdout == "There are no receipts of 2025-02.\n"


def test_usage__json_and_csv__have_money_as_text(manage: Manage, calls: Account) -> None:
    arguments = ("usage", "--from", "2025-03-31", "--to", "2025-03-31", "--by", "task,day")
    told = json.loads(manage(*arguments, "--json").stdout)
    assert told == [
        {
            "task": "generate_content",
            "day": "2025-03-31",
            "calls": 3,
            "errors": 0,
            "without_cost": 0,
            "p50_ms": 99,
            "p95_ms": 1877,
            "input_tokens": 3000,
            "output_tokens": 150,
            "images": 0,
            "cost": "0.30",
            "charge": "0.45",
            "margin": "0.15",
        }
    ]
    (row,) = csv.DictReader(manage(*arguments, "--csv").stdout.splitlines())
    assert row == {name: str(value) for name, value in told[0].items()}


def test_usage__from_and_to__are_both_included(manage: Manage, calls: Account) -> None:
    for span, is_found in {
        ("2025-03-31", "2025-03-31"): True,
        ("2025-03-30", "2025-03-30"): False,
        ("2025-04-01", "2025-04-01"): False,
    }.items():
        told = manage("usage", "--from", span[0], "--to", span[1], "--json").stdout
        assert bool(json.loads(told)) is is_found
    told = manage("usage", "--from", "2025-03-31", "--by", "model").stdout
    assert "gpt-4.1" in told


def test_usage__reported__differs_by_model(manage: Manage, calls: Account) -> None:
    (told,) = json.loads(manage("usage", "2025-03", "--reported", "--json").stdout)
    assert told == {
        "model_id": "gpt-4o",
        "compared": 2,
        "cost_reported": "0.23",
        "cost_computed": "0.20",
        "difference": "0.03",
        "difference_percent": "15.00",
    }
    assert "No receipt of 2025-02" in manage("usage", "2025-02", "--reported").stdout


@pytest.mark.parametrize(("percent", "is_over"), [("14.99", True), ("15", False)])
def test_usage__alarm__fails_above_its_percent(
    manage: Manage, calls: Account, percent: str, is_over: bool
) -> None:
    done = manage("usage", "2025-03", "--alarm-percent", percent)
    assert done.returncode == int(is_over)
    assert "gpt-4o" in done.stdout
    sentence = f"Reported costs differ by more than {percent} %: gpt-4o by 15.00 %.\n"
    assert done.stderr == (sentence if is_over else "")


def test_usage__reported_cost_of_what_was_free__is_an_alarm(manage: Manage, calls: Account) -> None:
    Receipt.objects.filter(run="run-1").update(cost_computed=0)
    Receipt.objects.filter(run="run-0").update(cost_reported=None)
    done = manage("usage", "2025-03", "--alarm-percent", "1000000")
    assert (done.returncode, "gpt-4o by any measure" in done.stderr) == (1, True)


REFUSED = {
    ("2026-13",): "'2026-13' is not a month such as 2026-11",
    ("november",): "'november' is not a month such as 2026-11",
    ("2026",): "'2026' is not a month such as 2026-11",
    (): "Say a month, such as 2026-11, or --from DATE.",
    ("2026-11", "--from", "2026-11-01"): "A month takes no --from and --to.",
    ("--from", "2026-11-02", "--to", "2026-11-01"): "--to is before --from",
    ("--from", "2026-11"): "'2026-11' is not a day such as 2026-11-30",
    ("2026-11", "--by", "model,colour"): "'model,colour' is not one or more of account, model",
    ("2026-11", "--alarm-percent", "-1"): "'-1' is not a percentage from 0 on",
    ("2026-11", "--alarm-percent", "NaN"): "'NaN' is not a percentage from 0 on",
}


@pytest.mark.parametrize("words", REFUSED)
def test_usage__that_makes_no_sense__is_bad_usage(manage: Manage, words: tuple[str, ...]) -> None:
    done = manage("usage", *words)
    assert (done.returncode, REFUSED[words] in done.stderr) == (2, True), done.stderr


# roll_up


def test_roll_up__twice__has_nothing_more_to_do(manage: Manage, calls: Account) -> None:
    before = manage("usage", "2025-03").stdout
    assert manage("roll_up").stdout == "1 days rolled up.\n"
    assert manage("roll_up").stdout == "0 days rolled up.\n"
    assert DailyUsage.objects.count() == 2
    assert manage("usage", "2025-03").stdout == before


def test_roll_up__rebuild__names_the_days_that_were_wrong(manage: Manage, calls: Account) -> None:
    manage("roll_up")
    DailyUsage.objects.update(calls=9)
    span = ("--from", "2025-03-01", "--to", "2025-03-31")
    told = manage("roll_up", "--rebuild", *span, "--json").stdout
    assert json.loads(told) == {"days": 1, "differed": ["2025-03-31"]}
    assert manage("roll_up", "--rebuild").stdout == "1 days rolled up.\n"
    DailyUsage.objects.update(calls=9)
    assert "not as they are now: 2025-03-31." in manage("roll_up", "--rebuild").stdout


def test_roll_up__span_without_rebuild__is_bad_usage() -> None:
    with pytest.raises(Exception, match="--from and --to go with --rebuild"):
        call_command("roll_up", "--from", "2025-03-01")


# receipts

FOUND = {
    ("--request", str(UUID(int=8))): ["run-1"],
    ("--run", "run-0"): ["run-0"],
    ("--account", "acme", "--to", "2025-04-01"): ["run-2", "run-1", "run-0"],
    ("--account", "acme", "--to", "2025-04-01", "--limit", "1"): ["run-2"],
    ("--account", "bolt", "--to", "2025-04-01"): [],
    ("--model", "gpt-4o"): ["run-1", "run-0"],
    ("--task", "auto_cluster", "--to", "2025-04-01"): [],
    ("--status", "timeout"): [],
    ("--state", "open"): [],
    ("--from", "2025-03-31T12:01:00Z", "--to", "2025-03-31T12:02:00Z"): ["run-1"],
}


@pytest.mark.parametrize("words", FOUND)
def test_receipts__filtered__are_the_newest_first(
    manage: Manage, calls: Account, words: tuple[str, ...]
) -> None:
    told = json.loads(manage("receipts", "--json", *words).stdout)
    assert [row["run"] for row in told] == FOUND[words]


def test_receipts__table__has_a_line_each(manage: Manage, calls: Account) -> None:
    row = Receipt.objects.get(run="run-2")
    Receipt.objects.filter(pk=row.pk).update(cost=None, charge=None, status="unpriced")
    adjust(row, Decimal("0.000000000001"))
    line = manage("receipts", "--to", "2025-04-01").stdout.splitlines()[2]
    assert line.split() == [
        *("2025-03-31", "12:02:00", str(UUID(int=9)), "acme", "generate_content", "gpt-4.1"),
        *("openai", "run-2", "settled", "unpriced", "30", "1000", "50"),
        *("0.000000000001", "0.000000000002"),
    ]
    assert manage("receipts", "--run", "no").stdout == "There are no such receipts.\n"


def test_receipts__unknown_account__is_refused(manage: Manage) -> None:
    done = manage("receipts", "--account", "nobody")
    assert (done.returncode, done.stderr) == (1, "There is no account 'nobody'.\n")


@pytest.mark.parametrize("minutes", ["nan", "inf", "-1", "1e300", "soon", ""])
def test_close_receipts__minutes_that_are_none__are_refused_in_a_sentence(
    manage: Manage, minutes: str
) -> None:
    done = manage("close_receipts", f"--minutes={minutes}")
    assert done.returncode == 2
    assert "is not a number of minutes from 0 to 1,000,000" in done.stderr
    assert "Traceback" not in done.stderr
