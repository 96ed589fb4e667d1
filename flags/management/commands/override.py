"""`manage.py override`: give one account another answer to a flag, with a reason."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from django.utils import timezone

from flags.accounts.reading import account_by_key
from flags.management import arguments, base
from flags.models import AccountOverride, Flag, flag_by_name
from flags.models.pending import lock_head


class Command(base.ActionCommand):
    help = "Give one account another answer to a flag, with a reason."
    actions: ClassVar = {
        "set": "override a flag for an account, in place of a live override",
        "list": "the live overrides, or with --all those of before too",
        "clear": "end an account's live override of a flag",
    }

    def add_set(self, parser: ArgumentParser) -> None:
        self.add_clear(parser)
        parser.add_argument("answer", help="a variant of the flag, or the value of one")
        parser.add_argument("--reason", required=True, help="why, for those who ask later")
        parser.add_argument("--expires", type=arguments.moment, help="when it stops, ISO 8601")
        parser.add_argument("--author", default=base.user(), help="who says so")

    def add_list(self, parser: ArgumentParser) -> None:
        parser.add_argument("--flag", help="of this flag only")
        parser.add_argument("--account", help="of this account only")
        parser.add_argument("--all", action="store_true", help="paused and expired ones too")

    def add_clear(self, parser: ArgumentParser) -> None:
        parser.add_argument("flag", help="the flag's name")
        parser.add_argument("account", help="the account's key")
        base.add_yes(parser)

    def do_set(self, **options: Any) -> None:
        override = self.operate(partial(_set, options), is_published=False, **options)
        self._print([override], as_json=options["json"])

    def do_clear(self, **options: Any) -> None:
        key, flag = self.operate(partial(_clear, options), is_published=False, **options)
        if options["json"]:
            self.print_json({"account": key, "flag": flag, "state": "paused"})
        else:
            self.stdout.write(f"{key} has no override of {flag} any more.")

    def do_list(self, **options: Any) -> None:
        found = AccountOverride.objects.select_related("account", "flag")
        if not options["all"]:
            found = found.in_force(timezone.now())
        if options["flag"]:
            found = found.filter(flag=flag_by_name(options["flag"]))
        if options["account"]:
            found = found.filter(account=account_by_key(options["account"]).pk)
        self._print(list(found), as_json=options["json"])

    def _print(self, overrides: list[AccountOverride], *, as_json: bool) -> None:
        if as_json:
            self.print_json([_json(each) for each in overrides])
        elif not overrides:
            self.stdout.write("There are no such overrides.")
        else:
            rows = [[str(value or "") for value in _json(each).values()] for each in overrides]
            self.print_table([*_json(overrides[0])], rows)


def _set(options: Mapping[str, Any]) -> AccountOverride:
    lock_head()
    flag, account = flag_by_name(options["flag"]), account_by_key(options["account"])
    if options["expires"] is not None and options["expires"] <= timezone.now():
        raise arguments.BadArguments(f"{options['expires'].isoformat()} is not after now.")
    live = AccountOverride.objects.filter(account=account.pk, flag=flag, paused=False)
    live.update(paused=True)
    override = AccountOverride(
        account=account,
        flag=flag,
        variant=_variant(flag, options["answer"]),
        reason=options["reason"],
        author=options["author"],
        expires_at=options["expires"],
    )
    override.full_clean()
    override.save()
    return override


def _clear(options: Mapping[str, Any]) -> tuple[str, str]:
    """The account's key and the flag's name."""
    flag, account = flag_by_name(options["flag"]), account_by_key(options["account"])
    live = AccountOverride.objects.in_force(timezone.now()).filter(account=account.pk, flag=flag)
    if not live.update(paused=True):
        raise base.CommandRefused(f"{account.key} has no live override of the flag “{flag}”.")
    return account.key, flag.name


def _variant(flag: Flag, answer: str) -> str:
    """The variant with this key, or else with this value, as text or as JSON."""
    values = flag.values()
    if answer in values:
        return answer
    try:
        value = json.loads(answer)
    except ValueError:
        value = answer
    texts = {json.dumps(answer), json.dumps(value, sort_keys=True)}
    return next(
        (key for key, each in values.items() if json.dumps(each, sort_keys=True) in texts), answer
    )


def _json(override: AccountOverride) -> dict[str, Any]:
    return {
        "account": override.account.key,
        "flag": override.flag.name,
        "variant": override.variant,
        "state": override.state,
        "expires": override.expires_at and override.expires_at.isoformat(timespec="seconds"),
        "author": override.author,
        "reason": override.reason,
    }
