"""`manage.py waffle_switch`: waffle's own, asked about first where it takes models away."""

from __future__ import annotations

from waffle.management.commands import waffle_switch

from flags.management.asking import AsksFirst


class Command(AsksFirst, waffle_switch.Command):
    help = "Change a switch by waffle's own words."
    theirs = waffle_switch.Command
    lists = "list_switches"
