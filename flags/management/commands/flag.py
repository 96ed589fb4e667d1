"""`manage.py flag`: list and show the flags, and turn one on or off."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar

from django.db.models import Count, Q
from django.utils import timezone

from flags.document import export, words
from flags.management import base
from flags.models import AccountOverride, Flag, UnknownFlag, flag_by_name


class Command(base.ActionCommand):
    help = "List and show the flags, and turn one on or off."
    actions: ClassVar = {
        "list": "every flag, a line each",
        "show": "one flag: its variants, its rules and its live overrides",
        "on": "ask the flag's rules again",
        "off": "serve the flag's off variant to every account",
    }

    def add_list(self, parser: ArgumentParser) -> None:
        pass

    def add_show(self, parser: ArgumentParser) -> None:
        parser.add_argument("flag", help="the flag's name")

    def add_on(self, parser: ArgumentParser) -> None:
        self.add_show(parser)
        base.add_yes(parser)

    add_off = add_on

    def do_list(self, **options: Any) -> None:
        flags = export.document()["flags"]
        if options["json"]:
            self.print_json(flags)
        elif not flags:
            self.stdout.write("There are no flags. The admin adds one, below Flags.")
        else:
            counts = _live_overrides()
            rows = [
                (
                    name,
                    flag["kind"],
                    words.state_text(flag),
                    str(len(flag["rules"])),
                    str(counts.get(name, 0)),
                    words.serve_text(flag["default"]),
                )
                for name, flag in flags.items()
            ]
            heading = ("flag", "kind", "state", "rules", "overrides", "default")
            self.print_table(heading, rows)

    def do_show(self, **options: Any) -> None:
        name = options["flag"]
        flag = export.document()["flags"].get(name)
        if flag is None:
            raise UnknownFlag(name)
        if options["json"]:
            self.print_json(flag)
            return
        requires = [("requires", words.requirement_text(each)) for each in flag["requires"]]
        self.print_rows(
            [
                ("flag", name),
                ("kind", flag["kind"] + _variants(flag["vocabulary"] and [flag["vocabulary"]])),
                ("state", words.state_text(flag)),
                *(
                    ("variant", f"{key} = {words.value_text(value)}")
                    for key, value in flag["variants"].items()
                ),
                *requires,
                *(("rule", f"{rule['id']}: {_rule(rule)}") for rule in flag["rules"]),
                ("default", words.serve_text(flag["default"])),
                ("off", flag["off"] or "nothing"),
                ("overrides", str(_live_overrides().get(name, 0))),
            ]
        )

    def do_on(self, **options: Any) -> None:
        self._switch(options, is_on=True)

    def do_off(self, **options: Any) -> None:
        self._switch(options, is_on=False)

    def _switch(self, options: dict[str, Any], *, is_on: bool) -> None:
        """Everyone: Yes and No stand above on and off, so either is lifted."""
        word = "on" if is_on else "off"

        def switch() -> tuple[Flag, bool | None]:
            flag = flag_by_name(options["flag"])
            everyone = flag.everyone
            flag.is_on, flag.everyone = is_on, None
            flag.save()
            return flag, everyone

        comment = f"flag {word} {options['flag']}"
        flag, everyone = self.operate(switch, **{**options, "comment": comment})
        lifted = "" if everyone is None else f"; Everyone: {_YES_NO[everyone]} is lifted"
        state = words.state_text(export.flag_of(flag))
        if options["json"]:
            self.print_json({"flag": flag.name, "state": state, "is_on": is_on})
        else:
            self.stdout.write(f"{flag.name} is {state}{lifted}.")


_YES_NO = {True: "Yes", False: "No"}


def _rule(rule: Any) -> str:
    name = f"“{rule['name']}” " if rule["name"] else ""
    return name + words.rule_text(rule)


def _variants(names: list[str] | None) -> str:
    return f" ({', '.join(names)})" if names else ""


def _live_overrides() -> dict[str, int]:
    """By flag, those in force now."""
    now = timezone.now()
    live = Q(overrides__in=AccountOverride.objects.in_force(now))
    counted = Flag.objects.annotate(live=Count("overrides", filter=live))
    return dict(counted.values_list("name", "live"))
