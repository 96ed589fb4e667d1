"""What a receipt says beside what its replay gives, item by item, as data.

```
revision ─▶ snapshot ─┐
                      ├─▶ resolved again ─▶ model, why, markup, parameters ─┐
receipt: what was ────┤                                                     ├─▶ items
asked and known       └─▶ priced again, by its price and by the revision ───┘
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from flags import live
from igny8_core.ai.candidates import SnapshotCandidates
from igny8_core.ai.replay import pricing
from igny8_core.ai.replay.asked import Asked
from igny8_core.ai.replay.resolving import asked_of, resolved_again
from igny8_core.ai.resolution import Resolution
from igny8_core.catalogue.models import Catalogue
from igny8_core.errors import AIError
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.states import State
from igny8_core.pricing.money import DECIMALS, money_text, number_text
from igny8_core.tasks.parameters import Layer, merge
from igny8_core.tasks.prompts import PromptOrigin

NOTHING: Final = "nothing usable"


class Item(NamedTuple):
    """One fact, as the receipt holds it and as the replay gives it; both are JSON."""

    name: str
    held: Any
    replayed: Any

    @property
    def agrees(self) -> bool:
        return bool(self.held == self.replayed)


class NoRevision(AIError):
    code = "no_revision"

    def __init__(self) -> None:
        super().__init__(
            "It names no revision: the plan's figures had stood in, or a transaction was open."
        )


class Replay(NamedTuple):
    """`missing` says, a sentence each, what could not be replayed, and why."""

    items: tuple[Item, ...]
    missing: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return all(item.agrees for item in self.items)


def replay(receipt: Receipt, known: SnapshotCandidates | None = None) -> Replay:
    """Resolve and price it again; `known` are its revision's candidates where they are at hand."""
    items: list[Item] = []
    missing: list[str] = []
    for found in _found(receipt, known):
        items.append(found) if isinstance(found, Item) else missing.append(found)
    return Replay(tuple(items), tuple(missing))


def _found(receipt: Receipt, known: SnapshotCandidates | None) -> Iterator[Item | str]:
    asked = asked_of(receipt)
    if asked.at_us is None:
        yield "It does not say when it was resolved: the moment it was opened was taken."
    resolution = catalogue = None
    try:
        of_snapshot = known or _candidates(receipt)
        catalogue = of_snapshot.catalogue
        resolution = resolved_again(receipt, of_snapshot)
    except (NoRevision, live.UnknownRevision, live.UnusableRevision, AIError, ValueError) as error:
        yield f"It was not resolved again. {error}"
    else:
        yield from _resolved(receipt, resolution)
    yield from _put(receipt, asked, resolution)
    if receipt.state == State.OPEN:
        yield "It is open: what it took is not known yet."
    yield from _priced(receipt, catalogue, resolution)


def _candidates(receipt: Receipt) -> SnapshotCandidates:
    """Raises NoRevision, UnknownRevision, UnusableRevision."""
    if receipt.revision is None:
        raise NoRevision
    return SnapshotCandidates(live.at_revision(receipt.revision))


def _resolved(receipt: Receipt, resolution: Resolution | None) -> Iterator[Item]:
    if resolution is None:
        yield Item("model", receipt.model_asked, NOTHING)
        return
    yield Item("model", receipt.model_asked, resolution.model.model_id)
    yield Item("reason", receipt.reason, resolution.reason.value)
    for name in ("flag", "rule", "variant", "replaces"):
        yield Item(name, getattr(receipt, name), getattr(resolution, name) or "")
    tried = list(dict.fromkeys(attempt["model"] for attempt in receipt.attempts))
    if len(tried) > 1:
        following = [each.model.model_id for each in resolution.fallbacks]
        order = [resolution.model.model_id, *following]
        yield Item("models in order", tried, tried if _is_within(tried, order) else order)
    if receipt.markup_percent is not None:
        markup = resolution.markup
        percent = number_text(round(markup.percent, DECIMALS))
        yield Item("markup", number_text(receipt.markup_percent), percent)
        yield Item("markup by", receipt.markup_by, f"{markup.reason} {markup.rule or ''}".strip())


def _is_within(some: Sequence[str], order: Sequence[str]) -> bool:
    """Whether they are in this order; a candidate that could not be sent it is left out."""
    left = iter(order)
    return all(each in left for each in some)


def _put(receipt: Receipt, asked: Asked, resolution: Resolution | None) -> Iterator[Item | str]:
    """Prompt and parameters."""
    if asked.prompts is None or asked.layers is None:
        yield "It does not say which prompts and parameters were set: they are shown as sent."
        return
    origins = (PromptOrigin.ACCOUNT, PromptOrigin.PLATFORM)
    whose = next((each for each in origins if each in asked.prompts), PromptOrigin.BUILT_IN)
    yield Item("prompt", receipt.prompt, whose.value)
    yield Item("prompt version", receipt.prompt_version, asked.prompts.get(whose))
    if resolution is None:
        return
    task, models = resolution.origin.task, resolution.origin.catalogue.models
    layers = {Layer.TASK: task.parameters}
    layers |= {Layer(layer): values for layer, values in asked.layers.items()}
    model = models.get(pricing.model_billed(receipt), resolution.model)
    try:
        merged = {name: setting.value for name, setting in merge(layers, model).items()}
    except AIError as error:
        merged = {"": str(error)}
    yield Item("parameters", receipt.parameters, merged)


def _priced(
    receipt: Receipt, catalogue: Catalogue | None, resolution: Resolution | None
) -> Iterator[Item | str]:
    cost = receipt.cost_computed
    if pricing.is_metered(receipt):
        named = pricing.by_named_price(receipt, catalogue)
        revised = None if catalogue is None else pricing.by_revision(receipt, catalogue)
        if named.price is None and revised is None:
            yield "It names no price, so it was not priced again."
        else:
            taken = named if named.price is not None or revised is None else revised
            yield Item("lines", pricing.sorted_lines(receipt.lines), taken.lines)
            if revised is not None and taken is not revised:
                yield Item("revision's lines", taken.lines, revised.lines)
            cost = taken.cost
            yield Item("cost by the price", _text(receipt.cost_computed), _text(cost))
    cost = cost if receipt.cost_reported is None else receipt.cost_reported
    if receipt.state == State.SETTLED:
        yield Item("cost", _text(receipt.cost), _text(cost))
    if receipt.markup_percent is not None:
        percent = resolution.markup.percent if resolution else receipt.markup_percent
        charge = pricing.charge_of(receipt, cost, percent)
        yield Item("charge", _text(receipt.charge), _text(charge))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else money_text(amount)
