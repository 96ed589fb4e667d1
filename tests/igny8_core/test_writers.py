"""All kinds of writers at once never lock each other out: each locks the head row first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any, Final

import pytest
from constance import config
from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ProtectedError
from waffle.models import Switch

from flags import publishing
from flags.engine import DocumentError
from flags.models import AccountOverride, Flag, Revision, Rule, Segment, Trait, Variant
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account, Membership
from igny8_core.modules.changes.entries import expire
from igny8_core.modules.system.models import AIModel, AIPrompt, GlobalAIPrompt, IntegrationSettings
from tests.conftest import EXAMPLES

SECONDS: Final = 3 * EXAMPLES
THREADS: Final = 6
NAMES: Final = ["one", "two", "three"]
REFUSED: Final = (
    DocumentError,
    ValidationError,
    ObjectDoesNotExist,
    IntegrityError,
    ProtectedError,
    AIError,
    ValueError,
)


def flag_of(random: Random) -> Flag:
    flag: Flag = Flag.objects.get_or_create(name=random.choice(NAMES))[0]
    return flag


def account_of(random: Random) -> Account:
    key = random.choice(NAMES)
    account, _ = Account.objects.get_or_create(key=key, defaults={"name": key, "plan": "pro"})
    return account


def delete_flag(random: Random) -> None:
    flag_of(random).delete()


def delete_flags(random: Random) -> None:
    Flag.objects.filter(name__in=random.sample(NAMES, 2)).delete()


def save_flag(random: Random) -> None:
    flag = flag_of(random)
    flag.note = str(random.random())
    flag.is_on = random.random() < 0.5
    flag.save()


def update_flags(random: Random) -> None:
    Flag.objects.filter(name__in=NAMES).update(note=str(random.random()))


def replace_rules(random: Random) -> None:
    flag = flag_of(random)
    flag.rules.all().delete()
    Rule.objects.bulk_create(
        Rule(flag=flag, rule_id=f"r{number}", position=number, when=[], serve={"variant": "on"})
        for number in range(1)
    )


def delete_variants(random: Random) -> None:
    flag = flag_of(random)
    Variant.objects.get_or_create(flag=flag, key="more", value=True)
    Variant.objects.filter(key="more").delete()


def switch_in_a_transaction(random: Random) -> None:
    with transaction.atomic():
        switch, _ = Switch.objects.get_or_create(name="provider.runware")
        switch.active = random.random() < 0.5
        switch.save()
        flag_of(random).save()


def delete_switch(_random: Random) -> None:
    Switch.objects.filter(name="provider.runware").delete()


def members(random: Random) -> None:
    user, _ = User.objects.get_or_create(username=random.choice(NAMES))
    flag_of(random).users.set([user])
    if random.random() < 0.3:
        user.delete()


def segment(random: Random) -> None:
    row, _ = Segment.objects.get_or_create(key=random.choice(NAMES))
    row.set_lists([random.choice(NAMES)], [])
    if random.random() < 0.5:
        row.delete()


def trait(random: Random) -> None:
    row, _ = Trait.objects.get_or_create(name=random.choice(NAMES), defaults={"type": "str"})
    row.delete()


def price(random: Random) -> None:
    model = AIModel.objects.get(model_id=random.choice(["gpt-4o", "gpt-4.1"]))
    model.input_rate = Decimal(random.randrange(1, 100))
    model.save()


def replace_model(random: Random) -> None:
    model_id = random.choice(NAMES)
    AIModel.objects.filter(model_id=model_id).delete()
    AIModel.objects.create(
        model_id=model_id, display_name="x", provider="openai", model_type="text"
    )


def prefer(random: Random) -> None:
    row, _ = IntegrationSettings.objects.get_or_create(account=account_of(random))
    row.text_model = AIModel.objects.get(model_id=random.choice(["gpt-4o", *NAMES]))
    row.save()


def override(random: Random) -> None:
    about = {"account": account_of(random), "flag": flag_of(random)}
    AccountOverride.objects.filter(**about).delete()
    AccountOverride.objects.create(**about, variant="on", reason="why")


def keys(random: Random) -> None:
    row, _ = IntegrationSettings.objects.get_or_create(account=account_of(random))
    row.openai_api_key = f"sk-{random.random()}" if random.random() < 0.7 else ""
    row.save()
    if random.random() < 0.2:
        row.delete()


def prompts(random: Random) -> None:
    what = {"task": "generate_ideas", "template": str(random.random())}
    if random.random() < 0.5:
        GlobalAIPrompt.objects.create(**what)
    else:
        AIPrompt.objects.create(account=account_of(random), **what)


def membership(random: Random) -> None:
    user, _ = User.objects.get_or_create(username=f"member {random.choice(NAMES)}")
    Membership.objects.get_or_create(account=account_of(random), user=user)
    Membership.objects.filter(user=user).update(role=random.choice(["owner", "member"]))


def live_setting(random: Random) -> None:
    config.CHANGES_KEPT_DAYS = random.randrange(1, 400)
    expire()


def delete_account(random: Random) -> None:
    account_of(random).delete()


def change(random: Random) -> None:
    with publishing.change(author="ann"):
        price(random)
        save_flag(random)


def roll_back(_random: Random) -> None:
    for number in Revision.objects.values_list("number", flat=True)[1:2]:
        publishing.roll_back(number)


WRITERS: Final[list[Callable[[Random], None]]] = [
    delete_flag,
    delete_flags,
    save_flag,
    update_flags,
    replace_rules,
    delete_variants,
    switch_in_a_transaction,
    delete_switch,
    members,
    segment,
    trait,
    price,
    replace_model,
    prefer,
    override,
    keys,
    prompts,
    membership,
    live_setting,
    delete_account,
    change,
    roll_back,
]


@pytest.mark.usefixtures("postgresql")
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_writers__of_all_kinds_at_once__never_deadlock() -> None:
    publishing.publish()
    done: dict[str, int] = dict.fromkeys((each.__name__ for each in WRITERS), 0)
    faults: list[str] = []
    ends_s = time.monotonic() + SECONDS

    def write(seed: int) -> None:
        random = Random(seed)  # noqa: S311 - no secret
        try:
            while time.monotonic() < ends_s:
                writer: Any = random.choice(WRITERS)
                try:
                    with suppress(*REFUSED):
                        writer(random)
                        done[writer.__name__] += 1
                except DatabaseError as error:
                    faults.append(f"{writer.__name__}: {str(error).partition('CONTEXT')[0]}")
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert sum(done.values()) > THREADS
    if EXAMPLES > 1:  # `make soak`: long enough for each, also on a slow machine
        assert all(done.values()), done
