"""A fault stays where it is: what direct writes broke is held back, and nothing waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from waffle.models import Switch

from flags import live, preview, publishing
from flags.document import check, entries, export
from flags.document.held import held_back, known
from flags.document.stops import without_stop
from flags.document.stored import content
from flags.document.storing import store
from flags.engine import Subject
from flags.engine.problems import parts
from flags.models import AccountOverride, Flag, Revision, Rule, Segment, Trait, Variant
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel
from tests.conftest import Manage, examples

pytestmark = pytest.mark.django_db


def broken() -> Flag:
    """A flag that was published, and then written directly so that it does not check."""
    bad: Flag = Flag.objects.create(name="bad", everyone=True)
    Flag.objects.create(name="fine", everyone=True)
    publishing.publish()
    with transaction.atomic():
        bad.requires = [{"flag": "typo"}]
        bad.save()
    publishing.publish_waiting()
    assert [each.entry for each in held_back()] == ["flag bad"]
    return bad


# Every way -> what it does to a flag, on the pages and in the shell.


def by_command(name: str, _admin: Client, manage: Manage) -> None:
    done = manage("flag", "off", name)
    assert done.returncode == 0, done.stderr


def by_action(name: str, admin: Client, _manage: Manage) -> None:
    row = Flag.objects.get(name=name)
    data = {"action": "disable_for_all", "_selected_action": [str(row.pk)]}
    page = admin.post("/admin/flags/flag/", data, follow=True)
    assert not [each for each in page.context["messages"] if each.level_tag == "error"]


def by_row(name: str, _admin: Client, _manage: Manage) -> None:
    row = Flag.objects.get(name=name)
    row.everyone = False
    row.save()
    publishing.publish_pending()


def by_update(name: str, _admin: Client, _manage: Manage) -> None:
    Flag.objects.filter(name=name).update(everyone=False)
    publishing.publish_pending()


STOPS = [by_command, by_action, by_row, by_update]


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("name", ["fine", "bad"])
def test_stop__while_a_flag_is_held_back__is_in_force(
    name: str, stop: Callable[..., None], admin_client: Client, manage: Manage
) -> None:
    row, acme = broken(), Account.objects.get(key="acme")
    assert Flag.get(name).is_active_for_account(acme)
    stop(name, admin_client, manage)
    live.forget()
    assert not Flag.get(name).is_active_for_account(acme)
    assert [each.entry for each in held_back()] == ["flag bad"]
    row.refresh_from_db()
    assert row.requires == [{"flag": "typo"}]


def test_switch__while_a_flag_is_held_back__is_published() -> None:
    broken()
    Switch.objects.create(name="provider.openai", active=False)
    publishing.publish_pending()
    assert content(newest())["switches"]["provider.openai"] is False


def test_rest__price_while_a_flag_is_held_back__is_published(admin_client: Client) -> None:
    broken()
    row = AIModel.objects.get(model_id="gpt-4o")
    answer = admin_client.generic(
        "PATCH",
        f"/api/v1/admin/ai-models/{row.pk}/",
        json.dumps({"input_rate": "9"}),
        content_type="application/json",
    )
    assert answer.status_code == 200, answer.content
    prices = content(newest())["sections"]["catalogue"]["models"]["gpt-4o"]["prices"]
    assert prices[max(prices)]["lines"][0]["amount"] == "9.00"


def test_override__while_a_flag_is_held_back__is_in_force(acme: Account) -> None:
    broken()
    for name in ("fine", "bad"):
        Flag.objects.filter(name=name).update(everyone=None)
    publishing.publish_pending()
    row = Flag.objects.get(name="fine")
    AccountOverride.objects.create(account=acme, flag=row, variant="on", reason="r")
    live.forget()
    assert Flag.get("fine").is_active_for_account(acme)


def test_change__that_heals_what_is_held_back__publishes_both() -> None:
    bad = broken()
    with publishing.change(author="ann"):
        Flag.objects.create(name="typo", everyone=True)
    assert not held_back()
    assert content(newest())["flags"]["bad"]["requires"] == [{"flag": "typo"}]
    assert bad.requires == [{"flag": "typo"}]


def test_change__that_writes_it_again__is_refused_for_it_alone() -> None:
    bad = broken()
    bad.requires = [{"flag": "typo"}, {"flag": "other"}]
    with pytest.raises(publishing.Unpublishable, match="typo"), publishing.change():
        bad.save()
    assert [each.entry for each in held_back()] == ["flag bad"]


def test_create__outside_a_transaction__raises_and_leaves_nothing(
    transactional_db: None, django_db_serialized_rollback: None
) -> None:
    with pytest.raises(publishing.Unpublishable, match="There is no flag 'typo'"):
        Flag.objects.create(name="bad", requires=[{"flag": "typo"}])
    assert not Flag.objects.filter(name="bad").exists()


def test_roll_back__to_the_newest__says_what_it_discards_and_keeps_the_switch() -> None:
    broken()
    number = newest().number
    Switch.objects.create(name="provider.openai", active=False)
    (told,) = preview.roll_back(number).discarded
    assert told.entry == "flag bad"
    publishing.roll_back(number)
    assert Flag.objects.get(name="bad").requires == []
    assert Switch.objects.get(name="provider.openai").active is False
    assert content(newest())["switches"]["provider.openai"] is False
    assert not held_back()


def test_price__that_does_not_check__is_held_back_alone() -> None:
    publishing.publish()
    model = AIModel.objects.get(model_id="gpt-4o")
    with transaction.atomic():
        AIModel.objects.filter(pk=model.pk).update(display_name="New name")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE system_modelprice SET currency = '' WHERE model_id = %s", [model.pk]
            )
    publishing.publish_waiting()
    entry = content(newest())["sections"]["catalogue"]["models"]["gpt-4o"]
    assert entry["display_name"] == "New name"
    assert {each["currency"] for each in entry["prices"].values()} == {"USD"}
    assert held_back()[0].entry.startswith("price ")


def test_models__that_swap_the_default_and_break__go_together() -> None:
    publishing.publish()
    before = content(newest())["sections"]["catalogue"]["models"]
    with transaction.atomic():
        AIModel.objects.filter(model_id="gpt-4o-mini").update(is_default=False)
        AIModel.objects.filter(model_id="gpt-4o").update(is_default=True, available_to="no-flag")
    publishing.publish_waiting()
    after = content(newest())["sections"]["catalogue"]["models"]
    defaults = [key for key, entry in after.items() if entry["is_default"]]
    assert defaults == [key for key, entry in before.items() if entry["is_default"]]
    assert {each.entry for each in held_back()} == {"model gpt-4o", "model gpt-4o-mini"}


def newest() -> Revision:
    found = Revision.objects.first()
    assert found is not None
    return found


# Whatever is written, in whatever order

NAMES = ["a", "b", "c"]
SEGMENTS = ["s", "t"]


def _requires(name: str, other: str) -> None:
    Flag.objects.filter(name=name).update(requires=[{"flag": other}])


def _rule(name: str, other: str) -> None:
    row = Flag.objects.get(name=name)
    when = [[{"op": "segment", "values": [other]}], [{"trait": "seats", "op": "gt", "values": [3]}]]
    Rule.objects.create(flag=row, when=when[len(other) % 2], serve={"variant": other})


def _include(_name: str, other: str) -> None:
    Segment.objects.filter(key="s").update(include=[other], exclude=[other] * (other == "t"))


WRITES: dict[str, Callable[[str, str], Any]] = {
    "requires": _requires,
    "rule": _rule,
    "include": _include,
    "trait": lambda _name, other: Trait.objects.update_or_create(
        name="seats", defaults={"type": "num" if other == "s" else "str"}
    ),
    "no trait": lambda _name, _other: Trait.objects.all().delete(),
    "no segment": lambda _name, other: Segment.objects.filter(key=other).delete(),
    "no flag": lambda name, _other: Flag.objects.filter(name=name).exclude(name="a").delete(),
    "no variant": lambda name, _other: Variant.objects.filter(flag__name=name).delete(),
    "inactive": lambda _name, _other: AIModel.objects.filter(model_id="gpt-4o").update(
        is_active=False
    ),
    "default": lambda _name, other: AIModel.objects.filter(model_id="gpt-4o").update(
        is_default=True, available_to=other
    ),
    "switch": lambda _name, other: Switch.objects.update_or_create(
        name=f"provider.{other}", defaults={"active": False}
    ),
}
WRITTEN = st.tuples(
    st.sampled_from(sorted(WRITES)), st.sampled_from(NAMES), st.sampled_from([*SEGMENTS, "on"])
)


def _begin() -> None:
    for name in NAMES:
        Flag.objects.create(name=name, everyone=True)
    for key in SEGMENTS:
        Segment.objects.create(key=key)
    Trait.objects.create(name="seats", type="num")
    live.forget()
    publishing.publish()


@examples(40)
@given(st.lists(st.lists(WRITTEN, min_size=1, max_size=3), min_size=1, max_size=4))
def test_writes__whatever_they_are__a_stop_afterwards_is_in_force(
    transactions: list[list[tuple[str, str, str]]],
) -> None:
    with transaction.atomic():
        _begin()
        _write(transactions)
        transaction.set_rollback(True)


def _write(transactions: list[list[tuple[str, str, str]]]) -> None:
    for written in transactions:
        before = content(newest())
        with transaction.atomic():
            for kind, name, other in written:
                if kind != "rule" or Flag.objects.filter(name=name).exists():
                    WRITES[kind](name, other)
        publishing.publish_waiting()
        _holds(before)
    Flag.objects.filter(name="a").update(everyone=False)
    publishing.publish_waiting()
    Switch.objects.update_or_create(name="provider.openai", defaults={"active": False})
    publishing.publish_waiting()
    live.forget()
    ruleset = live.current().ruleset
    assert not ruleset.evaluate("a", Subject("acme", {}), now=0).value
    assert ruleset.document["switches"]["provider.openai"] is False


def _holds(before: Any) -> None:
    """Entry by entry: what the tables say, or what was served before, with a reason on record."""
    serving: dict[str, Any] = dict(content(newest()))
    wanted = export.document()
    assert not {each["path"] for each in check.faults(serving)}
    held = {parts(each["path"]) for each in known()}
    for entry in entries.changed(serving, wanted):
        said, was = entries.found(serving, entry), entries.found(before, entry)
        assert any(entry[: len(each)] == each for each in held), entry
        assert without_stop(entry, said) == without_stop(entry, was)
    for name, row in wanted["flags"].items():
        if row["force"] == "off" and name in serving["flags"]:
            stopped = serving["flags"][name]
            assert not stopped["on"] or stopped["force"] == "off"
    for key, model in wanted["sections"]["catalogue"]["models"].items():
        if not model["is_active"]:
            assert not serving["sections"]["catalogue"]["models"][key]["is_active"]


def by_program(name: str) -> None:
    Flag.objects.filter(name=name).update(is_on=True, everyone=None)


def by_command_on(name: str) -> None:
    call_command("flag", "on", name)


@pytest.mark.parametrize("lift", [by_program, by_command_on])
@pytest.mark.parametrize("everyone", [True, None])
def test_stop__of_what_is_held_back__can_be_lifted(
    lift: Callable[[str], None], everyone: bool | None
) -> None:
    bad = broken()
    Flag.objects.filter(pk=bad.pk).update(everyone=everyone)
    publishing.publish_waiting()
    call_command("flag", "off", "bad")
    assert not live.current().ruleset.document["flags"]["bad"]["on"]
    lift("bad")
    publishing.publish_waiting()
    assert [each.entry for each in held_back()] == ["flag bad"]
    served = content(Revision.objects.all()[0])["flags"]["bad"]
    assert (served["on"], served["force"]) == (True, "on")


def test_stop__of_a_model_that_is_held_back__can_be_lifted() -> None:
    publishing.publish()
    AIModel.objects.filter(model_id="gpt-4.1").update(available_to="typo")
    publishing.publish_waiting()
    served = []
    for is_active in (False, True):
        AIModel.objects.filter(model_id="gpt-4.1").update(is_active=is_active)
        publishing.publish_waiting()
        models = content(Revision.objects.all()[0])["sections"]["catalogue"]["models"]
        served.append(models["gpt-4.1"]["is_active"])
    assert (served, len(held_back())) == ([False, True], 1)


def test_roll_back__to_the_newest__keeps_a_stop_that_no_write_has_told_of() -> None:
    Switch.objects.create(name="provider.openai", active=True)
    newest = publishing.publish()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE waffle_switch SET active = %s", [False])
    assert preview.roll_back(newest.number).sentences == []
    revision = publishing.roll_back(newest.number)
    assert content(revision)["switches"]["provider.openai"] is False
    assert not Switch.objects.get(name="provider.openai").active


def test_roll_back__says_what_it_has_discarded(capsys: pytest.CaptureFixture[str]) -> None:
    broken()
    call_command("revisions", "rollback", str(Revision.objects.all()[0].number))
    assert "Discarded: flag bad is held back since" in capsys.readouterr().out
    assert held_back() == []


BAD_RULES: list[Any] = [
    [{"trait": "plan", "op": "in", "values": ["x"]}],
    [[{"trait": "plan"}]],
    {"x": 1},
    [[{"op": "any", "values": 5}]],
    ["x"],
]


@pytest.mark.parametrize("rules", BAD_RULES)
def test_pages__of_a_segment_that_is_none__are_shown(admin_client: Client, rules: Any) -> None:
    publishing.publish()
    Segment.objects.bulk_create([Segment(key="odd", rules=rules, include=[1, 2])])
    row = Segment.objects.get(key="odd")
    for page in ("", f"{row.pk}/change/"):
        assert admin_client.get(f"/admin/flags/segment/{page}").status_code == 200


def test_pages__of_a_price_that_is_none__are_shown(admin_client: Client) -> None:
    publishing.publish()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE system_rateline SET meter = 'zzz' WHERE price_id IN (SELECT p.id FROM "
            "system_modelprice p JOIN igny8_ai_models m ON m.id = p.model_id "
            "WHERE m.model_id = 'gpt-4.1')"
        )
    model = AIModel.objects.get(model_id="gpt-4.1")
    pages = [
        "/admin/system/aimodel/",
        f"/admin/system/aimodel/{model.pk}/change/",
        "/admin/system/modelprice/",
        f"/admin/system/modelprice/{model.prices.get().pk}/change/",
        "/api/v1/admin/ai-models/",
    ]
    assert [admin_client.get(page).status_code for page in pages] == [200] * 5


def test_bulk_action__on_one_of_many__counts_one(admin_client: Client) -> None:
    for name in ("one", "two", "three"):
        Flag.objects.create(name=name)
    publishing.publish()
    chosen = [str(Flag.objects.get(name="one").pk)]
    data = {"action": "enable_for_all", "_selected_action": chosen}
    page = admin_client.post("/admin/flags/flag/", data, follow=True)
    assert "1 flag changed." in [str(each) for each in page.context["messages"]]


@pytest.mark.parametrize(
    "parts",
    [
        {"when": [{"op": "in"}]},
        {"when": 5},
        {"when": ["x"]},
        {"serve": {}},
        {"serve": []},
        {"serve": {"split": {"on": 0}}},
        {"serve": {"split": 5}},
        {"when": [{"op": "share", "salt": "s", "to": "x"}]},
    ],
)
def test_flag__with_a_rule_that_is_none__is_shown(
    admin_client: Client, capsys: pytest.CaptureFixture[str], parts: dict[str, Any]
) -> None:
    publishing.publish()
    flag = Flag.objects.create(name="odd")
    rule = {"when": [], "serve": {"variant": "on"}} | parts
    Rule.objects.bulk_create([Rule(flag=flag, rule_id="r", position=1, **rule)])
    call_command("flag", "show", "odd")
    assert "r" in capsys.readouterr().out
    assert admin_client.get(f"/admin/flags/flag/{flag.pk}/change/").status_code == 200


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_change__beside_a_fault_that_raw_sql_has_left__is_made(
    admin_client: Client, manage: Manage
) -> None:
    Flag.objects.create(name="fine", everyone=True)
    publishing.publish()
    with connection.cursor() as cursor:
        bad = json.dumps([{"flag": "typo"}])
        cursor.execute("UPDATE flags_flag SET requires = %s WHERE name = 'image'", [bad])
    done = manage("flag", "off", "fine")
    assert done.returncode == 0, done.stderr
    assert [each.entry for each in held_back()] == ["flag image"]
    pk = AIModel.objects.get(model_id="gpt-4.1").pk
    body = json.dumps({"sort_order": 7})
    answer = admin_client.patch(
        f"/api/v1/admin/ai-models/{pk}/", body, content_type="application/json"
    )
    assert answer.status_code == 200


def test_roll_back__to_a_fault_that_is_published__is_possible_and_previewed_as_such() -> None:
    """A version that did not look for it published it."""
    Flag.objects.create(name="bad", requires=[{"flag": "typo"}])
    document: Any = export.document()
    bad = store(document, Revision.objects.first(), author="", comment="", summary=[])
    Flag.objects.create(name="later")
    publishing.publish_waiting()
    assert not held_back()
    assert preview.roll_back(bad.number).faults == []
    publishing.roll_back(bad.number)
    assert not Flag.objects.filter(name="later").exists()
