"""`manage.py waffle_flag`: waffle's own, asked about first where it takes models away."""

from __future__ import annotations

from waffle.management.commands import waffle_flag

from flags.management.asking import AsksFirst


class Command(AsksFirst, waffle_flag.Command):
    help = "Change a flag by waffle's own words."
    theirs = waffle_flag.Command
    lists = "list_flags"
