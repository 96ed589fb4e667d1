"""The seeded models' prices get the lines that calls are billed by beside the headline rates.

Cached input, cache writes and the tokens of gpt-image-1 are those of genai-prices 0.2.3 on PyPI, which
was compared with the providers' pages up to 2026-10-14. Its input and output rates are the plan's.

It has no price for a whole picture. Those by size and quality are OpenAI's published prices, as
github.com/unkn0wncode/openai has them in models/images.go at commit 32661d28; LiteLLM's price map at
commit 00035b69 agrees where it was compared: GPT Image 1 in high quality, and DALL·E 2 to within its
rounding. Both were read on 2026-11-28. The line without a condition stays the plan's headline, which is
OpenAI's price of 1024x1024 in standard or medium quality; so a line that names a size is for that
quality, and a line that names a quality is for that size.

A price that has begun is never edited: the lines come with a new price from now. Only a database that
never published and has no receipt gets them in the seeded price itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Model, QuerySet
from django.utils import timezone

PER_MILLION = 1_000_000
SEEDED = "the model's headline rates"
CATALOGUE = {
    "source": "genai-prices 0.2.3",
    "source_url": "https://pypi.org/project/genai-prices/0.2.3/",
}
LIST = {
    "source": "OpenAI's prices by size and quality",
    "source_url": "https://github.com/unkn0wncode/openai/blob/32661d28bfca90626b14ba855a617e445e0e63b6/models/images.go",
}
BOTH = {**CATALOGUE, "source": "genai-prices 0.2.3; OpenAI's prices by size and quality"}
READ_AT = datetime(2026, 11, 28, tzinfo=UTC)


class Line(NamedTuple):
    meter: str
    amount: Decimal
    per: int
    condition: dict[str, str]


class Seeded(NamedTuple):
    """A model as it was seeded, and the lines that it gets."""

    provider: str
    model_type: str
    lines: list[Line]
    added: list[Line]
    notes: dict[str, str]


def tokens(**rates: str) -> list[Line]:
    """USD per million of each meter."""
    return [Line(f"{name}_tokens", Decimal(rate), PER_MILLION, {}) for name, rate in rates.items()]


def pictures(rate: str, size: str = "", quality: str = "") -> Line:
    """USD for one."""
    said = {"size": size, "quality": quality}
    return Line("images", Decimal(rate), 1, {name: text for name, text in said.items() if text})


def openai(into: str, out: str, cached: str) -> Seeded:
    lines = tokens(input=into, output=out)
    return Seeded("openai", "text", lines, tokens(cached_input=cached), CATALOGUE)


def anthropic(into: str, out: str, *, read: str, written_5m: str, written_1h: str) -> Seeded:
    added = tokens(cached_input=read, cache_write_5m=written_5m, cache_write_1h=written_1h)
    return Seeded("anthropic", "text", tokens(input=into, output=out), added, CATALOGUE)


def image(rate: str, added: list[Line], notes: dict[str, str]) -> Seeded:
    return Seeded("openai", "image", [pictures(rate)], added, notes)


MODELS = {
    "gpt-4o-mini": openai("0.15", "0.60", "0.075"),
    "gpt-4o": openai("2.50", "10.00", "1.25"),
    "gpt-4.1": openai("2.00", "8.00", "0.50"),
    "gpt-5.1": openai("1.25", "10.00", "0.125"),
    "gpt-5.2": openai("1.75", "14.00", "0.175"),
    "claude-3-sonnet": anthropic(
        "3.00", "15.00", read="0.30", written_5m="3.75", written_1h="6.00"
    ),
    "claude-3-opus": anthropic(
        "15.00", "75.00", read="1.50", written_5m="18.75", written_1h="30.00"
    ),
    "claude-3-haiku": anthropic("0.25", "1.25", read="0.03", written_5m="0.30", written_1h="0.50"),
    "dall-e-3": image(
        "0.040",
        [
            pictures("0.080", quality="hd"),
            pictures("0.080", "1024x1792"),
            pictures("0.080", "1792x1024"),
            pictures("0.120", "1024x1792", "hd"),
            pictures("0.120", "1792x1024", "hd"),
        ],
        LIST,
    ),
    "dall-e-2": image("0.020", [pictures("0.018", "512x512"), pictures("0.016", "256x256")], LIST),
    "gpt-image-1": image(
        "0.042",
        [
            pictures("0.011", quality="low"),
            pictures("0.167", quality="high"),
            pictures("0.063", "1024x1536"),
            pictures("0.063", "1536x1024"),
            pictures("0.016", "1024x1536", "low"),
            pictures("0.016", "1536x1024", "low"),
            pictures("0.250", "1024x1536", "high"),
            pictures("0.250", "1536x1024", "high"),
            *tokens(
                input="5.00",
                cached_input="1.25",
                image_input="10.00",
                cached_image_input="2.50",
                output="40.00",
                image_output="40.00",
            ),
        ],
        BOTH,
    ),
}


class Rows:
    """The tables, in the database that is migrated."""

    def __init__(self, apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        self._apps = apps
        self._using = schema_editor.connection.alias

    def of(self, app: str, model: str) -> QuerySet[Any]:
        rows: QuerySet[Any] = self._apps.get_model(app, model).objects.using(self._using)
        return rows

    def lines_of(self, price: Model) -> list[Line]:
        columns = self.of("system", "RateLine").filter(price=price).values_list(*Line._fields)
        return [Line(*row) for row in columns]

    def add(self, price: Model, lines: Iterable[Line]) -> None:
        for line in lines:
            self.of("system", "RateLine").create(price=price, **line._asdict())

    def are_named(self, price: Model) -> bool:
        """Whether a call was billed by it."""
        return any(
            self.of("usage", name).filter(price=price).exists()
            for name in ("Receipt", "Adjustment")
        )


def same(some: list[Line], others: list[Line]) -> bool:
    """In any order."""
    return len(some) == len(others) and all(line in others for line in some)


def add_lines(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows = Rows(apps, schema_editor)
    never_used = not (rows.of("flags", "Revision").exists() or rows.of("usage", "Receipt").exists())
    now = timezone.now()
    for model_id, seeded in MODELS.items():
        price = untouched(rows, model_id, seeded, now)
        if price is None:
            continue
        notes = {**seeded.notes, "checked_at": READ_AT}
        prices = rows.of("system", "ModelPrice")
        if never_used:
            prices.filter(pk=price.pk).update(**notes)
            rows.add(price, seeded.added)
        else:
            new = prices.create(model=price.model, effective_from=now, **notes)
            rows.add(new, [*seeded.lines, *seeded.added])


def untouched(rows: Rows, model_id: str, seeded: Seeded, now: datetime) -> Any:
    """The seeded price, where no other has begun since and it says what it was seeded with."""
    begun = rows.of("system", "ModelPrice").filter(
        model__model_id=model_id,
        model__provider=seeded.provider,
        model__model_type=seeded.model_type,
        effective_from__lte=now,
    )
    prices = list(begun.select_related("model"))
    if len(prices) != 1 or prices[0].is_free or prices[0].source != SEEDED:
        return None
    return prices[0] if same(rows.lines_of(prices[0]), seeded.lines) else None


def take_away(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take the lines away again, with the prices that came with them; what billed a call stays."""
    rows = Rows(apps, schema_editor)
    prices = rows.of("system", "ModelPrice")
    for model_id, seeded in MODELS.items():
        for price in prices.filter(model__model_id=model_id, source=seeded.notes["source"]):
            ours = [*seeded.lines, *seeded.added]
            if rows.are_named(price) or not same(rows.lines_of(price), ours):
                continue
            lines = rows.of("system", "RateLine").filter(price=price)
            if prices.filter(model=price.model_id, effective_from__lt=price.effective_from):
                lines.delete()
                price.delete()
            else:
                for line in seeded.added:
                    lines.filter(**line._asdict()).delete()
                prices.filter(pk=price.pk).update(source=SEEDED, source_url="", checked_at=None)


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("system", "0013_protocols"),
        # Whether a call was billed by a price: its tables say so.
        ("usage", "0009_adjustments"),
    ]

    operations: ClassVar = [migrations.RunPython(add_lines, take_away)]
