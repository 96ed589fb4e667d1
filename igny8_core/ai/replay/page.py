"""A receipt in full, for people: rows of names and values, and its tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from igny8_core.ai import words
from igny8_core.ai.replay.comparing import Item
from igny8_core.ai.replay.resolving import asked_of
from igny8_core.ai.resolution import Reason
from igny8_core.errors import AIError
from igny8_core.modules.system.declared_tasks import known_task
from igny8_core.modules.usage.models import Adjustment, Receipt
from igny8_core.pricing.money import money_text, number_text

Rows = list[tuple[str, str]]
LINES: Final = ("meter", "quantity", "rate, USD", "per", "amount, USD")
ATTEMPTS: Final = ("model", "provider", "status", "HTTP", "ms", "cost, USD")
ITEMS: Final = ("", "what", "receipt", "replay")


def rows(receipt: Receipt) -> Rows:
    """What was asked, by whom, why it went where it went, and what it cost; nothing empty."""
    return [(name, value) for name, value in _rows(receipt) if value]


def _rows(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield "receipt", str(receipt.pk)
    yield "request", str(receipt.request_id)
    yield "at", f"{receipt.created_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "account", receipt.account.key
    yield "task", receipt.task
    yield "run", receipt.run
    yield "status", f"{receipt.status}, {receipt.state}, {receipt.latency_ms:,} ms"
    yield "duplicates", str(receipt.duplicates_id or "")
    yield "model", _model(receipt)
    yield "why", why(receipt)
    yield "revision", str(receipt.revision or "none")
    yield "variant", receipt.variant
    yield "asked", _asked(receipt)
    yield from _known(receipt.account_facts)
    yield "just then", _pairs(receipt.refused)
    version = "" if receipt.prompt_version is None else f", version {receipt.prompt_version}"
    yield "prompt", f"{receipt.prompt}{version}"
    yield "parameters", _pairs(receipt.parameters)
    yield "meters", _pairs(receipt.meters)
    yield "served", _pairs(receipt.context)
    yield "note", receipt.usage_note
    yield from _money(receipt)


def why(receipt: Receipt) -> str:
    """The reason as a sentence, by what the receipt has."""
    model_type = "its type"
    with suppress(AIError):
        model_type = known_task(receipt.task).model_type.value
    facts = receipt.flag or None, receipt.rule or None, receipt.replaces or None
    if receipt.reason in {*Reason}:
        return words.why_by(Reason(receipt.reason), model_type, *facts)
    return receipt.reason


def _model(receipt: Receipt) -> str:
    served = receipt.model_served
    told = f", served as {served}" if served not in {"", receipt.model_asked} else ""
    unknown = "" if receipt.is_name_known else ", a name that nobody knows"
    return f"{receipt.model_asked}{told}{unknown}, by {receipt.provider}"


def _asked(receipt: Receipt) -> str:
    asked = asked_of(receipt)
    needs = {name: value for name, value in asked.needs._asdict().items() if value}
    named = {"model": asked.model, "keep": asked.keep}
    return _pairs({name: value for name, value in named.items() if value} | needs)


def _known(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "known", _pairs(facts.get("traits", {}))
    for name, value in facts.items():
        if name == "is_known" and not value:
            yield "known", "no more than what the caller had: the database could not be read"
        elif name not in {"traits", "times", "is_known"}:
            yield name, _pairs(value) if isinstance(value, Mapping) else _value(value)


def _money(receipt: Receipt) -> Iterator[tuple[str, str]]:
    price = receipt.price
    begun = f" from {price.effective_from:%Y-%m-%d %H:%M:%S} UTC" if price else ""
    yield "price", f"{receipt.model_priced}{begun}" if receipt.model_priced else ""
    reported = receipt.cost_reported
    if reported is not None:
        yield "computed", _usd(receipt.cost_computed)
        yield "reported", _usd(reported)
    yield "cost", _usd(receipt.cost)
    if receipt.markup_percent is not None:
        yield "markup", f"{number_text(receipt.markup_percent)} %, by {receipt.markup_by}"
    yield "charge", _usd(receipt.charge) + ("" if receipt.is_spend else ", no spend")
    adjustment = adjustment_of(receipt)
    if adjustment:
        yield "adjusted", f"{adjustment.created_at:%Y-%m-%d %H:%M:%S} UTC {adjustment.author}"
        yield "cost since", f"{_usd(adjustment.cost)}, at the price of {adjustment.model_priced}"
        yield "charge since", _usd(adjustment.charge)


def adjustment_of(receipt: Receipt) -> Adjustment | None:
    """One query."""
    return Adjustment.objects.filter(receipt=receipt).first()


def line_cells(lines: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The quote's lines as a table's rows; see `LINES`."""
    cells = []
    for line in lines:
        as_parent = f", charged as {line['charged_as']}" if "charged_as" in line else ""
        where = f" ({_pairs(line['condition'])})" if "condition" in line else ""
        meter = f"{line['meter']}{as_parent}{where}"
        cells.append([meter, *(f"{line[name]}" for name in ("quantity", "rate", "per", "amount"))])
    return cells


def attempt_cells(attempts: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Each attempt as a table's row; see `ATTEMPTS`."""
    names = ("model", "provider", "status", "http_status", "latency_ms", "cost")
    return [[_value(attempt.get(name)) for name in names] for attempt in attempts]


def item_cells(items: Sequence[Item]) -> list[list[str]]:
    """Each compared item as a table's row; see `ITEMS`."""
    return [
        [
            "✓" if item.agrees else "✗",
            item.name,
            "as above" if item.agrees and isinstance(item.held, list) else _value(item.held),
            "the same" if item.agrees else _value(item.replayed),
        ]
        for item in items
    ]


def _usd(amount: Decimal | None) -> str:
    return "not known" if amount is None else f"{money_text(amount)} USD"


def _pairs(told: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}={_value(value)}" for name, value in told.items() if value not in (None, [], {})
    )


def _value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
