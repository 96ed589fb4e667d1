"""`manage.py changes`: the feed as lines of JSON, the oldest first."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from flags.management import arguments, base
from igny8_core.modules.changes.models import Change

_FIELDS = [
    "id",
    "at",
    "actor",
    "address",
    "via",
    "why",
    "action",
    "object_type",
    "object_key",
    "account",
    "before",
    "after",
]


class Command(base.Command):
    help = "Print who changed what, when, from where and why: a JSON object a line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--since", type=arguments.moment, help="from this moment on, ISO 8601")
        parser.add_argument("--until", type=arguments.moment, help="before this moment")
        parser.add_argument("--actor", help="by this user")
        parser.add_argument("--account", help="about the account with this key")
        parser.add_argument("--object", help="of this type, such as flags.accountoverride")

    def handle(self, **options: Any) -> None:
        wanted = {
            "at__gte": options["since"],
            "at__lt": options["until"],
            "actor": options["actor"],
            "account": options["account"],
            "object_type": options["object"],
        }
        rows = Change.objects.filter(**{name: v for name, v in wanted.items() if v is not None})
        for row in rows.order_by("pk").values(*_FIELDS).iterator(1_000):
            self.stdout.write(json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False))
