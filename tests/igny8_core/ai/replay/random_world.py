"""A world that changes at random, and receipts of calls in it: by the ledger, answers made up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final
from uuid import uuid4

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.utils import timezone
from waffle import get_waffle_switch_model

from flags import publishing
from flags.engine import DocumentError
from flags.models import AccountOverride, Flag, Revision, Rule, Segment, Trait, Variant
from igny8_core.ai.account_settings import settings_of
from igny8_core.ai.errors import ModelNotAvailable, NoUsableModel
from igny8_core.ai.providers.base import Connection, Provider, ProviderAnswer
from igny8_core.ai.providers.errors import ProviderTimeout
from igny8_core.ai.providers.offline.client import OfflineProvider
from igny8_core.ai.providers.openai.client import OpenAIProvider
from igny8_core.ai.providers.usage import Usage
from igny8_core.ai.replay.asked import Asked
from igny8_core.ai.request import ledger
from igny8_core.ai.request.answers import Attempt, Ready
from igny8_core.ai.resolution import Reason, Resolution
from igny8_core.ai.resolver import resolve
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import (
    AIModel,
    AIPrompt,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    IntegrationSettings,
    ModelPrice,
)
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing.conditions import PriceContext, parse_condition
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.prices import PER_MILLION, RateLine
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.parameters import merge

TASKS: Final = ("generate_content", "generate_ideas", "auto_cluster", "generate_images")
FLAGS: Final = ("text", "image", "generate_content", "generate_ideas")
VARIANTS: Final = ("a", "b", "c")
PLANS: Final = ("free", "starter", "pro")
SEGMENTS: Final = ("shorts", "longs")
PERCENTS: Final = (0, 10, 12.5, 33.333333333333)
REFUSED: Final = (DocumentError, ValidationError, ObjectDoesNotExist, AIError, ValueError)


class World:
    """Accounts, rows and receipts that one seed gives."""

    def __init__(self, seed: int, accounts: int = 12) -> None:
        self.random = Random(seed)  # noqa: S311 - a seed
        Trait.objects.get_or_create(name="plan", defaults={"type": "str"})
        Trait.objects.get_or_create(name="created_at", defaults={"type": "time"})
        Trait.objects.get_or_create(name="seats", defaults={"type": "num"})
        self.accounts = [
            Account.objects.create(
                key=f"account-{number}",
                name="x",
                plan=self.random.choice(PLANS),
                traits={"seats": self.random.choice([1, 2.5, 10**15, "many"])},
                created_at=timezone.now() - timedelta(days=self.random.randrange(1_000)),
            )
            for number in range(accounts)
        ]
        Flag.objects.create(name="early")
        for key in SEGMENTS:
            Segment.objects.create(key=key, is_long=key == "longs")
        for name in FLAGS:
            for key, model in zip(VARIANTS, self.models(name), strict=False):
                Variant.objects.create(flag=Flag.objects.get(name=name), key=key, value=model)
        markup = Flag.objects.get(name="pricing.markup_percent")
        for key, percent in zip("wxyz", PERCENTS, strict=True):
            Variant.objects.create(flag=markup, key=key, value=percent)
        self.begun = Revision.objects.values_list("number", flat=True)[0]
        for make in (*[self._rule] * 6, self._markup, self._segment, self._segment):
            make()

    def models(self, flag: str) -> list[str]:
        kind = "image" if "image" in flag else "text"
        ids = AIModel.objects.filter(model_type=kind, is_active=True, retires_at=None)
        return self.random.sample(sorted(ids.values_list("model_id", flat=True)), 3)

    def change(self) -> None:
        """One change at random, published; what may not be leaves things as they were."""
        changes: list[Callable[[], Any]] = [
            *[self._rate] * 4,
            *[self._rule] * 6,
            *[self._override] * 4,
            *(self._price, self._default, self._markup, self._segment, self._preference),
            *(self._model, self._switch, self._flag, self._prompt, self._parameters, self._plan),
        ]
        with suppress(*REFUSED), publishing.change(author="world"):
            for _ in range(self.random.randrange(1, 4)):
                self.random.choice(changes)()

    def roll_back(self) -> None:
        own = Revision.objects.filter(number__gt=self.begun)
        numbers = list(own.values_list("number", flat=True)[:20])
        with suppress(*REFUSED):
            publishing.roll_back(self.random.choice(numbers))

    def _model_row(self) -> AIModel:
        row: AIModel = self.random.choice(list(AIModel.objects.order_by("pk")))
        return row

    def _rate(self) -> None:
        model = self._model_row()
        model.input_rate = Decimal(self.random.randrange(1, 10**5)) / 10**3
        model.output_rate = Decimal(self.random.randrange(1, 10**5)) / 10**3
        model.save()

    def _price(self) -> None:
        """With tiers by context, processing and hour; some begin in a moment."""
        conditions: list[dict[str, Any]] = [
            {},
            {"context": "> 1000"},
            {"hours": "06:00-18:00"},
            {"processing": "flex"},
        ]
        lines = [
            RateLine(
                meter,
                Decimal(self.random.randrange(1, 999)) / 100,
                PER_MILLION,
                parse_condition(written),
                written,
            )
            for meter in (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS)
            for written in [{}, self.random.choice(conditions[1:])]
        ]
        begins = timezone.now() + timedelta(milliseconds=self.random.choice([0, 50]))
        ModelPrice.publish(self._model_row(), lines, effective_from=begins)

    def _rule(self) -> None:
        flag = Flag.objects.get(name=self.random.choice([*FLAGS, "early"]))
        keys = ["on", "off"] if flag.name == "early" else VARIANTS
        share = {"op": "share", "salt": str(self.random.random()), "to": 500_000}
        clauses: list[dict[str, Any]] = [
            share,
            {"trait": "plan", "op": "in", "values": [self.random.choice(PLANS)]},
            {"op": "segment", "values": [self.random.choice(SEGMENTS)]},
            {"trait": "seats", "op": "ge", "values": [2]},
            {"trait": "created_at", "op": "lt", "values": [timezone.now().isoformat()]},
        ]
        split = {"split": {key: self.random.randrange(1, 9) for key in keys[:2]}}
        one = {"variant": self.random.choice(keys)}
        flag.rules.all().delete()
        for number in range(self.random.randrange(1, 4)):
            Rule.objects.create(
                flag=flag,
                rule_id=f"r{number}",
                position=number,
                when=[self.random.choice(clauses)],
                serve=self.random.choice([split, one]),
            )

    def _default(self) -> None:
        flag = Flag.objects.get(name=self.random.choice(FLAGS))
        flag.default = self.random.choice([None, {"variant": "b"}, {"split": {"a": 1, "c": 2}}])
        flag.save()

    def _markup(self) -> None:
        flag = Flag.objects.get(name="pricing.markup_percent")
        flag.default = {"split": dict.fromkeys("wxyz", 1)}
        flag.save()

    def _segment(self) -> None:
        row = Segment.objects.get(key=self.random.choice(SEGMENTS))
        keys = [account.key for account in self.random.sample(self.accounts, 4)]
        row.set_lists(keys[:3], keys[3:])
        row.save()

    def _override(self) -> None:
        account, name = self.random.choice(self.accounts), self.random.choice([*FLAGS, "early"])
        AccountOverride.objects.filter(account=account, flag__name=name).delete()
        if self.random.random() < 0.7:
            AccountOverride.objects.create(
                account=account,
                flag=Flag.objects.get(name=name),
                variant="on" if name == "early" else self.random.choice(VARIANTS),
                reason="why",
                expires_at=timezone.now() + timedelta(seconds=self.random.choice([0.1, 999])),
            )

    def _preference(self) -> None:
        row = IntegrationSettings.of(self.random.choice(self.accounts))
        text = AIModel.objects.filter(model_type="text", is_active=True)
        row.text_model = self.random.choice([None, *text])
        row.save()

    def _plan(self) -> None:
        account = self.random.choice(self.accounts)
        account.plan = self.random.choice(PLANS)
        account.save()

    def _model(self) -> None:
        model = self._model_row()
        match self.random.randrange(4):
            case 0:
                model.available_to = self.random.choice(["", "early"])
            case 1:
                model.retires_at = timezone.now() + timedelta(milliseconds=20)
                others = AIModel.objects.filter(model_type=model.model_type, is_active=True)
                model.replaced_by = self.random.choice(list(others)).model_id
            case 2:
                model.retires_at, model.replaced_by = None, ""
            case 3:
                model.is_active = self.random.random() < 0.7
        model.save()

    def _switch(self) -> None:
        name = f"provider.{self.random.choice(['openai', 'anthropic', 'runware'])}"
        row, _ = get_waffle_switch_model().objects.get_or_create(name=name)
        row.active = self.random.random() < 0.7
        row.save()

    def _flag(self) -> None:
        flag = Flag.objects.get(name=self.random.choice(FLAGS))
        flag.is_on = self.random.random() < 0.8
        flag.save()

    def _prompt(self) -> None:
        task = self.random.choice(TASKS)
        if self.random.random() < 0.5:
            GlobalAIPrompt.objects.create(task=task, template=str(self.random.random()))
        else:
            account = self.random.choice(self.accounts)
            AIPrompt.objects.create(account=account, task=task, template="own")

    def _parameters(self) -> None:
        platform = GlobalIntegrationSettings.load()
        own = IntegrationSettings.of(self.random.choice(self.accounts))
        for row in (platform, own):
            row.temperature = self.random.choice([None, 0.1, 1.5])
            row.max_tokens = self.random.choice([None, 100, 9_999])
            row.save()

    def call(self) -> Receipt | None:
        """A call of one of the accounts, as AICore makes it; None where no model is usable."""
        random = self.random
        account, task = random.choice(self.accounts), random.choice(TASKS)
        model_ids = [model.model_id for model in AIModel.objects.all()]
        pinned = random.choice([None, None, None, None, random.choice(model_ids)])
        kept = random.choice([*[None] * 5, random.choice(model_ids)])
        some = Needs(vision=task != "generate_images"), Needs(context_tokens=9_000)
        needs = random.choice([Needs(), Needs(), *some])
        has_keys = random.choice([None, None, ["openai"], ["anthropic", "openai"]])
        try:
            resolution = resolve(
                account, task, needs=needs, model=pinned, keep=kept, keys_for=has_keys
            )
        except (NoUsableModel, ModelNotAvailable):
            return None
        settings = settings_of(account)
        parameters: dict[str, Any] = {}
        if task != "generate_images" and random.random() < 0.3:
            parameters = {"temperature": 0.3}
        asked = Asked.of_call(resolution, settings, parameters, (pinned, needs, kept))
        layers = settings.layers(resolution.origin.task, parameters)
        following = [] if resolution.reason is Reason.PINNED else resolution.fallbacks[:2]
        chain = [resolution, *following][: random.choice([1, 1, 1, 2, 3])]
        readies = [self._ready(each, layers) for each in chain]
        receipt = ledger.opened(
            uuid4(),
            account,
            readies[0],
            settings.prompt(resolution.origin.task),
            arguments="",
            asked=asked.to_json(),
            run="",
        )
        failed = [
            Attempt[Any](ready, 5, None, ProviderTimeout("openai", 1.0)) for ready in readies[:-1]
        ]
        ledger.settled(receipt, [*failed, Attempt(readies[-1], 5, self._answer(chain[-1]))])
        return Receipt.objects.select_related("account", "price__model").get(pk=receipt.pk)

    def _ready(self, resolution: Resolution, layers: Any) -> Ready:
        provider: Provider = OpenAIProvider(resolution.provider.name, Connection(api_key="k"))
        if self.random.random() < 0.1:
            provider = OfflineProvider()
        merged = merge(layers, resolution.model)
        parameters = {name: setting.value for name, setting in merged.items()}
        return Ready(resolution, provider, None, parameters)

    def _answer(self, resolution: Resolution) -> ProviderAnswer[Any]:
        random, model = self.random, resolution.model
        if model.model_type == "image":
            meters = {Meter.IMAGES: random.randrange(1, 4)}
        else:
            into = random.randrange(1, 10 ** random.randrange(1, 7))
            meters = {Meter.OUTPUT_TOKENS: random.randrange(10**4), Meter.INPUT_TOKENS: into}
            if random.random() < 0.3:
                meters[Meter.CACHED_INPUT_TOKENS] = random.randrange(into)
        reported = Decimal(random.randrange(10**6)) / 10**9 if random.random() < 0.2 else None
        is_known = random.random() < 0.95
        usage = Usage({}, meters if is_known else None, "", reported if is_known else None)
        tier = random.choice(["standard"] * 5 + ["flex", "default"])
        context = None if random.random() < 0.7 else PriceContext(processing=tier)
        names = [*[model.model_id] * 3, "", "nobody-knows-it", "gpt-4o"]
        return ProviderAnswer("x", random.choice(names), usage, context=context)
