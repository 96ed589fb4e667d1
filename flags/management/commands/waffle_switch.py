"""`manage.py waffle_switch`: waffle's own, asked about first where it takes models away."""

from __future__ import annotations

from functools import partial
from typing import Any

from waffle.management.commands import waffle_switch

from flags.management import base


class Command(base.Command, waffle_switch.Command):
    help = "Change a switch by waffle's own words."

    def add_arguments(self, parser: Any) -> None:
        waffle_switch.Command.add_arguments(self, parser)
        base.add_yes(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        change = partial(waffle_switch.Command.handle, self, *args, **options)
        if options["name"] is None or options["list_switches"]:
            change()
        else:
            self.operate(change, **options)
