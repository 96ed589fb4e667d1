"""A change that leaves accounts without a model is asked about, by whatever way it is made."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.utils import timezone
from waffle.models import Switch

from flags import guarding, live, publishing, registry
from flags.document import stored
from flags.document.stored import content
from flags.host import Guard
from flags.models import AccountOverride, Flag, Revision, Rule, Segment, Trait, Variant
from igny8_core.ai.errors import NoUsableModel
from igny8_core.ai.resolver import resolve
from igny8_core.console import guard, moves
from igny8_core.console.question import question
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, GlobalAIPrompt, IntegrationSettings
from tests.conftest import Manage
from tests.igny8_core.test_admin import form

pytestmark = pytest.mark.django_db

TASK = "generate_content"
LOST = "2 accounts would have no model for generate_content: acme, bolt."


@pytest.fixture(autouse=True)
def published(acme: Account, bolt: Account) -> None:
    publishing.publish()


def mini() -> AIModel:
    return AIModel.objects.get(model_id="gpt-4o-mini")


def url(row: Any, end: str = "change/") -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{end}"


# Each way: posts or calls, given what confirms; answers what it said.


def by_form(client: Client, confirm: dict[str, str]) -> str:
    data = form(client, url(mini())) | confirm
    data.pop("is_active")
    return client.post(url(mini()), data).content.decode()


def by_click(client: Client, confirm: dict[str, str]) -> str:
    return client.post(url(mini(), "toggle-active/"), confirm).content.decode()


def by_action(client: Client, confirm: dict[str, str]) -> str:
    data = {"action": "deactivate", "_selected_action": [str(mini().pk)], **confirm}
    return client.post("/admin/system/aimodel/", data).content.decode()


def by_switch(client: Client, confirm: dict[str, str]) -> str:
    data = {"name": "provider.openai", "note": "", **confirm}
    return client.post("/admin/waffle/switch/add/", data).content.decode()


def by_retirement(client: Client, confirm: dict[str, str]) -> str:
    at = timezone.now() + timedelta(days=1)
    data = form(client, url(mini()), retires_at_0=f"{at:%Y-%m-%d}", retires_at_1="00:00:00")
    data.pop("replaced_by", None)
    return client.post(url(mini()), data | confirm).content.decode()


def by_availability(client: Client, confirm: dict[str, str]) -> str:
    data = form(client, url(mini()), available_to="vips")
    return client.post(url(mini()), data | confirm).content.decode()


PAGES = [by_form, by_click, by_action, by_switch, by_retirement, by_availability]


@pytest.mark.parametrize("way", PAGES)
def test_page__takes_models_away__asks_and_is_confirmed_by_one_click(
    way: Callable[[Client, dict[str, str]], str], admin_client: Client
) -> None:
    Flag.objects.create(name="vips", everyone=False)
    publishing.publish()
    before = Revision.objects.count()
    told = way(admin_client, {})
    assert "Nothing is changed yet." in told
    assert "2 accounts would have no model for generate_content: acme, bolt." in told
    assert "Nothing is changed yet." in way(admin_client, {"_confirm": "*"})
    assert Revision.objects.count() == before
    (token,) = re.findall(r'name="_confirm" value="([0-9a-f]+)"', told)
    way(admin_client, {"_confirm": token})
    assert Revision.objects.count() == before + 1


def test_page__with_a_file__asks_for_it_again(admin_client: Client) -> None:
    AIModel.objects.exclude(pk=mini().pk).delete()
    vips = Flag.objects.create(name="vips")
    inside = [{"op": "segment", "values": ["listed"]}]
    Rule.objects.create(flag=vips, rule_id="r", when=inside, serve={"variant": "on"})
    listed = Segment.objects.create(key="listed", include=["acme", "bolt"])
    AIModel.objects.update(available_to="vips")
    publishing.publish()

    def send(keys: bytes, **more: str) -> str:
        sent = SimpleUploadedFile("keys.txt", keys)
        data = form(admin_client, url(listed), include="") | {"include_file": sent} | more
        return admin_client.post(url(listed), data).content.decode()

    told = send(b"acme")
    assert "1 account would have no model for generate_content: bolt." in told
    assert "Choose keys.txt again" in told
    (token,) = re.findall(r'name="_confirm" value="([0-9a-f]+)"', told)
    assert "Nothing is changed yet." in send(b"cobalt", _confirm=token)
    send(b"acme", _confirm=token)
    assert Segment.objects.get(key="listed").lists() == (["acme"], [])


def test_rest__takes_models_away__is_409_and_confirmed_by_its_token(admin_client: Client) -> None:
    address = f"/api/v1/admin/ai-models/{mini().pk}/"

    def send(end: str = "") -> Any:
        body = json.dumps({"is_active": False})
        return admin_client.patch(address + end, body, content_type="application/json")

    answer = send()
    assert (answer.status_code, answer.json()["code"]) == (409, "unconfirmed")
    assert LOST in answer.json()["message"]
    assert mini().is_active
    for none in ("0123456789abcdef", "*", ""):
        assert send(f"?confirm={none}").status_code == 409
    assert send(f"?confirm={answer.json()['confirm']}").status_code == 200
    assert not mini().is_active


def test_rest__token__is_for_that_change_on_that_revision(admin_client: Client) -> None:
    address = f"/api/v1/admin/ai-models/{mini().pk}/toggle-active/"
    token = admin_client.post(address).json()["confirm"]
    Flag.objects.create(name="other")
    publishing.publish()
    again = admin_client.post(f"{address}?confirm={token}")
    assert again.status_code == 409
    assert again.json()["confirm"] != token
    other = AIModel.objects.get(model_id="gpt-4o")
    other.make_default()
    publishing.publish()
    assert admin_client.post(address).status_code == 200


def test_command__takes_models_away__needs_yes(manage: Manage) -> None:
    flag = Flag.objects.get(name="text")
    Variant.objects.create(flag=flag, key="four", value="gpt-4.1")
    flag.default = {"variant": "four"}
    flag.save()
    mini().delete()
    publishing.publish()
    done = manage("flag", "off", "text")
    assert done.returncode == 1
    assert "would have no model for generate_content: " in done.stderr
    assert done.stderr.endswith("Nothing is changed. To do it all the same, say --yes.\n")
    assert manage("flag", "off", "text", "--yes").returncode == 0
    assert not Flag.objects.get(name="text").is_on


def test_rollback__takes_models_away__asks(admin_client: Client, manage: Manage) -> None:
    first = Revision.objects.first()
    assert first is not None
    AIModel.objects.exclude(model_id="gpt-4.1").update(is_active=False)
    mini().delete()
    publishing.publish()
    none = Revision.objects.first()
    assert none is not None
    publishing.roll_back(first.number)
    done = manage("revisions", "rollback", str(none.number))
    assert done.returncode == 1
    assert "would have no model for generate_content" in done.stderr
    address = f"/admin/flags/revision/{none.number}/rollback/"
    newest = Revision.objects.values_list("number", flat=True)[0]
    told = admin_client.post(address, {"newest": newest, "comment": ""}).content.decode()
    assert "would have no model for generate_content" in told


def test_price__for_input_only_from_tomorrow__is_asked_about(admin_client: Client) -> None:
    """Of a default, later."""
    at = timezone.now() + timedelta(days=1)
    data = {
        "model": mini().pk,
        "effective_from_0": f"{at:%Y-%m-%d}",
        "effective_from_1": "12:00:00",
        "lines-TOTAL_FORMS": "1",
        "lines-INITIAL_FORMS": "0",
        "lines-0-meter": "input_tokens",
        "lines-0-amount": "1",
        "lines-0-per": "1000000",
        "lines-0-condition": "{}",
    }
    told = admin_client.post("/admin/system/modelprice/add/", data).content.decode()
    assert f"From {at:%Y-%m-%d} 12:00 UTC on 2 accounts would have no model" in told


def test_accounts__that_have_another_model__are_not_counted(
    admin_client: Client, acme: Account
) -> None:
    other = AIModel.objects.get(model_id="gpt-4.1")
    IntegrationSettings.objects.create(account=acme, text_model=other)
    told = by_click(admin_client, {})
    assert "1 account would have no model for generate_content: bolt." in told
    Account.objects.filter(key="bolt").update(status="suspended")
    assert "Nothing is changed yet" not in by_click(admin_client, {})
    assert not mini().is_active


def test_change__that_only_moves_accounts__is_not_asked_about(admin_client: Client) -> None:
    flag = Flag.objects.get(name="text")
    Variant.objects.create(flag=flag, key="four", value="gpt-4.1")
    data = {"name": "text", "kind": "str", "is_on": "on", "default": '{"variant": "four"}'}
    assert "Nothing is changed yet" not in admin_client.post(url(flag), data).content.decode()


MOVED = (
    "2 accounts move from gpt-4o-mini to gpt-4.1 for "
    "auto_cluster, generate_ideas, generate_content, generate_image_prompts: acme, bolt."
)


def test_move__by_form__is_told_and_not_asked_about(admin_client: Client) -> None:
    four = AIModel.objects.get(model_id="gpt-4.1")
    data = form(admin_client, url(four), is_default="on")
    told = admin_client.post(url(four), data, follow=True).content.decode()
    assert MOVED in html.unescape(told)


def test_move__by_click__is_told(admin_client: Client) -> None:
    four = AIModel.objects.get(model_id="gpt-4.1")
    told = admin_client.post(url(four, "set-default/"), follow=True).content.decode()
    assert MOVED in html.unescape(told)


def test_move__by_command__is_told_on_stderr(manage: Manage) -> None:
    first = Revision.objects.latest("number").number
    AIModel.objects.get(model_id="gpt-4.1").make_default()
    publishing.publish()
    done = manage("revisions", "rollback", str(first), "--comment", "back")
    assert done.returncode == 0
    assert "accounts move from gpt-4.1 to gpt-4o-mini for auto_cluster, " in done.stderr


def test_move__of_some_accounts__names_them_and_of_many_a_sample(acme: Account) -> None:
    before = content(publishing.publish())
    flag = Flag.objects.get(name="generate_content")
    Variant.objects.create(flag=flag, key="four", value="gpt-4.1")
    when = [{"trait": "key", "op": "in", "values": ["acme"]}]
    Rule.objects.create(flag=flag, rule_id="r", when=when, serve={"variant": "four"})
    segments = {"kept": {"include": ["acme"], "exclude": [], "rules": []}}
    after: Any = {**content(publishing.publish()), "segments": segments}
    sentence = "1 account moves from gpt-4o-mini to gpt-4.1 for generate_content: acme."
    assert moves.moved(before, after) == [sentence]
    rows = (Account(key=f"k{number}", name="x", plan="free") for number in range(1_200))
    Account.objects.bulk_create(rows)
    (told,) = moves.moved(before, after)
    about = "Of 1,001 of 1,202 accounts looked at, about 1 account moves"
    assert told.startswith(about)


def test_change__that_moves_nobody__tells_nothing(admin_client: Client) -> None:
    data = form(admin_client, url(mini()), input_rate="0.20")
    told = admin_client.post(url(mini()), data, follow=True).content.decode()
    assert "move" not in re.sub(r"<[^>]*>", "", told.split("messagelist", 1)[-1][:2000])


def test_direct_write__takes_models_away__is_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = stored.revision(stored.newest_number() or 0)
    AIModel.objects.filter(pk=mini().pk).update(is_active=False)
    after = publishing.publish()
    guarding.tell(content(before), content(after), is_asked=False)
    assert f"What was published takes models away: {LOST}" in caplog.text


def test_direct_write__that_an_operators_change_publishes__is_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        AIModel.objects.filter(pk=mini().pk).update(is_active=False)
        guarding.operate(lambda: Flag.objects.create(name="f"), author="ann")
    assert caplog.text.count(f"What was published takes models away: {LOST}") == 1


def test_change__that_is_confirmed__is_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        off = AIModel.objects.filter(pk=mini().pk)
        guarding.operate(lambda: off.update(is_active=False), author="ann", is_confirmed=True)
    assert "takes models away" not in caplog.text


def test_newest_revision__is_damaged__the_one_before_is_compared_with() -> None:
    Flag.objects.create(name="f")
    publishing.publish()
    Revision.objects.filter(number=stored.newest_number() or 0).update(checksum="0" * 64)
    with pytest.raises(guarding.Unconfirmed, match=LOST):
        guarding.operate(
            lambda: AIModel.objects.filter(pk=mini().pk).update(is_active=False), author="ann"
        )


def test_guard__that_fails__holds_up_no_stop_but_asks_about_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_asked: object) -> list[str]:
        raise RuntimeError("broken")

    broken = Guard(lambda _before, _after, _keys: True, fails, fails)
    monkeypatch.setitem(registry._guards, "broken", broken)
    flag = Flag.objects.create(name="f")
    publishing.publish()

    def on() -> None:
        Flag.objects.filter(pk=flag.pk).update(is_on=True, note="x", salt="other")

    def off() -> None:
        Flag.objects.filter(pk=flag.pk).update(is_on=False)

    guarding.operate(off, author="ann")
    assert not Flag.objects.get(name="f").is_on
    with pytest.raises(guarding.Unconfirmed, match="“broken” failed"):
        guarding.operate(on, author="ann")
    assert not Flag.objects.get(name="f").is_on
    guarding.operate(on, author="ann", is_confirmed=True)
    assert Flag.objects.get(name="f").is_on


def test_sample__beyond_the_most__counts_those_that_are_named(
    monkeypatch: pytest.MonkeyPatch, acme: Account
) -> None:
    monkeypatch.setattr(guard, "MOST", 100)
    Account.objects.bulk_create(
        Account(key=f"k{number}", name="x", plan="free") for number in range(400)
    )
    flag = Flag.objects.create(name="f")
    AccountOverride.objects.create(account=acme, flag=flag, variant="on", reason="r")
    before = content(publishing.publish())
    AIModel.objects.filter(pk=mini().pk).update(is_active=False)
    after = content(publishing.publish())
    seen: list[tuple[int, int]] = []
    asked = question(before, after, frozenset())
    assert asked is not None
    told = guard.taken(asked, 10, lambda *each: seen.append(each))
    assert told[0].startswith(
        "About 402 accounts would have no model for auto_cluster (by a sample of 101 of 402): acme"
    )
    assert seen == [(0, 101), (101, 101)]


def test_switch__off_and_on__takes_two_clicks(admin_client: Client, acme: Account) -> None:
    told = by_switch(admin_client, {})
    (token,) = re.findall(r'name="_confirm" value="([0-9a-f]+)"', told)
    by_switch(admin_client, {"_confirm": token})
    assert not Switch.objects.get(name="provider.openai").active
    live.forget()
    with pytest.raises(NoUsableModel):
        resolve(acme, TASK)


def test_rule__of_a_flag_the_task_does_not_ask__is_no_matter_of_the_guard() -> None:
    before = content(publishing.publish())
    flag = Flag.objects.create(name="unrelated")
    Rule.objects.create(flag=flag, serve={"variant": "on"})
    assert question(before, content(publishing.publish()), frozenset()) is None


def test_prompt__with_a_placeholder_that_is_new__is_asked_about(admin_client: Client) -> None:
    address = "/admin/system/globalaiprompt/add/"
    data = {"task": TASK, "template": "Be {{tone}}.", "placeholders": '["tone"]', "is_active": "on"}
    told = admin_client.post(address, data).content.decode()
    assert "each call for generate_content fails whose caller fills in none" in told
    assert not GlobalAIPrompt.objects.exists()
    (token,) = re.findall(r'name="_confirm" value="([0-9a-f]+)"', told)
    assert admin_client.post(address, {**data, "_confirm": token}).status_code == 302
    again = {**data, "template": "Be very {{tone}}."}
    assert admin_client.post(address, again).status_code == 302
    aside = {**data, "template": "{{other}}", "placeholders": '["other"]'}
    aside.pop("is_active")
    assert admin_client.post(address, aside).status_code == 302


def test_moment__that_was_scheduled_before__is_looked_at_too(acme: Account) -> None:
    """The default retires in favour of another; then that other is taken away."""
    retires_at = timezone.now() + timedelta(days=3)
    AIModel.objects.filter(pk=mini().pk).update(retires_at=retires_at, replaced_by="gpt-4o")
    publishing.publish()

    def unreplace() -> None:
        model = mini()
        model.replaced_by = ""
        model.save()

    def deactivate() -> None:
        AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)

    for change in (unreplace, deactivate):
        with pytest.raises(guarding.Unconfirmed, match=r"^From .* UTC on 2 accounts would have"):
            guarding.operate(change, author="ann")


# What is said of an account may be its only way to a model.


@pytest.fixture
def only_by_override(acme: Account) -> AccountOverride:
    """Nobody but acme may use the model, and that by an override."""
    AIModel.objects.exclude(pk=mini().pk).delete()
    flag = Flag.objects.create(name="vips")
    AIModel.objects.update(available_to="vips")
    publishing.publish()
    return AccountOverride.objects.create(account=acme, flag=flag, variant="on", reason="r")


ONLY = "1 account would have no model for generate_content: acme."


def test_override__deleted_on_its_page__asks(
    admin_client: Client, only_by_override: AccountOverride
) -> None:
    address = url(only_by_override, "delete/")
    told = admin_client.post(address, {"post": "yes"}).content.decode()
    assert ONLY in told
    assert AccountOverride.objects.exists()
    (token,) = re.findall(r'name="_confirm" value="([0-9a-f]+)"', told)
    admin_client.post(address, {"post": "yes", "_confirm": token})
    assert not AccountOverride.objects.exists()


def test_override__cleared_or_set_by_command__needs_yes(
    manage: Manage, only_by_override: AccountOverride
) -> None:
    for ways in (
        ("clear", "vips", "acme"),
        ("set", "vips", "acme", "off", "--reason", "r"),
    ):
        done = manage("override", *ways)
        assert (done.returncode, ONLY in done.stderr) == (1, True)
        only_by_override.refresh_from_db()
        assert not only_by_override.paused
    assert manage("override", "clear", "vips", "acme", "--yes").returncode == 0


def test_override__that_changes_no_model__is_not_asked_about(
    manage: Manage, only_by_override: AccountOverride
) -> None:
    assert manage("override", "set", "vips", "bolt", "on", "--reason", "r").returncode == 0


def test_plan__that_is_the_only_way_to_a_model__asks(admin_client: Client, acme: Account) -> None:
    AIModel.objects.exclude(pk=mini().pk).delete()
    vips = Flag.objects.create(name="vips")
    when = [{"trait": "plan", "op": "in", "values": [acme.plan]}]
    Rule.objects.create(flag=vips, rule_id="r", when=when, serve={"variant": "on"})
    AIModel.objects.update(available_to="vips")
    publishing.publish()
    other = "free" if acme.plan != "free" else "pro"
    told = admin_client.post(url(acme), form(admin_client, url(acme), plan=other))
    assert ONLY in told.content.decode()
    assert Account.objects.get(pk=acme.pk).plan != other


def test_long_list__replaced__asks_about_those_that_leave_it_alone(
    admin_client: Client, acme: Account, bolt: Account
) -> None:
    AIModel.objects.exclude(pk=mini().pk).delete()
    vips = Flag.objects.create(name="vips")
    inside = [{"op": "segment", "values": ["listed"]}]
    Rule.objects.create(flag=vips, rule_id="r", when=inside, serve={"variant": "on"})
    many = [f"k{number}" for number in range(10_001)]
    listed = Segment(key="listed")
    listed.set_lists(["acme", "bolt", *many], [])
    AIModel.objects.update(available_to="vips")
    publishing.publish()

    def send(*keys: str) -> str:
        sent = SimpleUploadedFile("keys.txt", "\n".join(keys).encode())
        data = form(admin_client, url(listed)) | {"include_file": sent}
        return admin_client.post(url(listed), data).content.decode()

    assert "1 account would have no model for generate_content: bolt." in send("acme", *many)
    assert "Nothing is changed yet" not in send(*many[:-1], "other", "bolt", "acme")
    assert "2 accounts would have no model for generate_content: acme, bolt." in send(*many)
    assert Segment.objects.get().lists()[0][-1] == "acme"


def test_within__that_ends_later__is_looked_at_when_it_ends(acme: Account, bolt: Account) -> None:
    AIModel.objects.exclude(pk=mini().pk).delete()
    Trait.objects.create(name="since", type="time")
    Account.objects.filter(pk=acme.pk).update(traits={"since": timezone.now().isoformat()})
    vips = Flag.objects.create(name="vips", default={"variant": "on"})
    AIModel.objects.update(available_to="vips")
    publishing.publish()

    def narrow() -> None:
        Flag.objects.filter(pk=vips.pk).update(default={"variant": "off"})
        when = [{"trait": "since", "op": "within", "values": ["14d"]}]
        Rule.objects.create(flag=vips, rule_id="r", when=when, serve={"variant": "on"})

    with pytest.raises(guarding.Unconfirmed) as asked:
        guarding.operate(narrow, author="ann")
    assert "1 account would have no model for generate_content: bolt." in asked.value.taken
    later = "Later, when an override or a `within` of theirs ends, "
    assert f"{later}1 account would have no model for generate_content: acme." in asked.value.taken


def test_waffle_command__takes_models_away__needs_yes(
    manage: Manage, only_by_override: AccountOverride
) -> None:
    only_by_override.delete()
    Flag.objects.filter(name="vips").update(everyone=True)
    publishing.publish()
    off = ("waffle_switch", "provider.openai", "off", "--create")
    for ways in (("waffle_flag", "vips", "--deactivate"), off):
        done = manage(*ways)
        assert done.returncode == 1
        assert "would have no model for generate_content" in done.stderr
        assert manage(*ways, "--yes").returncode == 0
        Switch.objects.all().delete()
        Flag.objects.filter(name="vips").update(everyone=True)
        publishing.publish()


def test_override__confirmed_after_it_takes_more__asks_again(
    admin_client: Client, acme: Account, bolt: Account
) -> None:
    """The page named acme; by then bolt would lose its model, too."""
    AIModel.objects.exclude(pk=mini().pk).delete()
    vips = Flag.objects.create(name="vips")
    AIModel.objects.update(available_to="vips")
    publishing.publish()
    for account in (acme, bolt):
        AccountOverride.objects.create(account=account, flag=vips, variant="on", reason="r")
    rows = AccountOverride.objects.filter(flag=vips)
    mine = rows.filter(account=acme)

    def clear(which: Any, confirmed: str = "") -> None:
        guarding.operate(
            lambda: which.update(paused=True),
            author="ann",
            key="same",
            confirmed=confirmed,
            is_published=False,
        )

    with pytest.raises(guarding.Unconfirmed) as asked:
        clear(mine)
    with pytest.raises(guarding.Unconfirmed, match="2 accounts"):
        clear(rows, asked.value.token)
    clear(mine, asked.value.token)
    assert rows.filter(paused=True).count() == 1


def test_accounts__of_which_over_a_thousand_change__are_those_that_are_looked_at() -> None:
    AIModel.objects.exclude(pk=mini().pk).delete()
    vips = Flag.objects.create(name="vips")
    AIModel.objects.update(available_to="vips")
    publishing.publish()
    made = Account.objects.bulk_create(
        Account(key=f"k{number}", name="x", plan="free") for number in range(3_000)
    )
    AccountOverride.objects.bulk_create(
        AccountOverride(account=account, flag=vips, variant="on", reason="r")
        for account in made[:1_500]
    )
    keys = frozenset(account.key for account in made[:1_500])
    document = content(publishing.publish())
    with transaction.atomic():
        AccountOverride.objects.update(paused=True)
        asked = question(document, document, keys)
        transaction.set_rollback(True)
    assert asked is not None
    assert (len(asked.facts), asked.changed) == (1_000, 1_500)
    told = guard.taken(asked, 60, lambda _looked, _of: None)
    assert (
        "About 1,500 accounts would have no model for generate_content (by a sample of 1,000"
        in (" ".join(told))
    )


def test_retired_model__that_another_serves_for__may_take_models_away(
    acme: Account, bolt: Account
) -> None:
    """An inactive one serves on by its successor."""
    AIModel.objects.update(is_default=False)
    old = AIModel.objects.get(model_id="gpt-4o")
    for account in (acme, bolt):
        IntegrationSettings.objects.create(account=account, text_model=old)
    AIModel.objects.filter(pk=old.pk).update(
        is_active=False,
        retires_at=timezone.now() - timedelta(days=1),
        replaced_by="gpt-4o-mini",
    )
    publishing.publish()
    assert resolve(acme, TASK).model.model_id == "gpt-4o-mini"
    with pytest.raises(guarding.Unconfirmed, match=LOST):
        guarding.operate(
            lambda: AIModel.objects.filter(pk=old.pk).update(replaced_by=""), author="ann"
        )


def test_operate__in_a_transaction_that_wrote_a_fault_before__is_refused() -> None:
    with transaction.atomic():
        Flag.objects.create(name="bad", requires=[{"flag": "typo"}])
        with pytest.raises(publishing.Unpublishable, match="typo"):
            guarding.operate(lambda: Flag.objects.create(name="good"), author="ann")
        transaction.set_rollback(True)
