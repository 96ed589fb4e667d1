"""Commands of another package, as one change that is asked about first."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.core.management.base import BaseCommand

from flags.management import base


class AsksFirst(base.Command):
    """Stands before `theirs` among a command's bases; `lists` is their option that only lists."""

    theirs: ClassVar[type[BaseCommand]]
    lists: ClassVar[str]

    def add_arguments(self, parser: Any) -> None:
        self.theirs.add_arguments(self, parser)
        base.add_yes(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        change = partial(self.theirs.handle, self, *args, **options)
        if options["name"] is None or options[self.lists]:
            change()
        else:
            self.operate(change, **options)
