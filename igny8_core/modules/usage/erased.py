"""Receipts of an account that is erased: money, counts, model and time stay."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import F, Func, JSONField

from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.receipts import Receipt

# What is known of an account that was erased.
ERASED: Final = {"is_erased": True}


class _WithoutLayers(Func):
    """What a call asked, without the parameters that account, platform and call had set."""

    output_field = JSONField()

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="JSON_REMOVE(%(expressions)s, '$.layers')"
        )

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s - 'layers')")


def erase_receipts(account: Account) -> int:
    """How many; one statement."""
    return Receipt.objects.filter(account=account).update(
        account_facts=ERASED,
        asked=_WithoutLayers(F("asked")),
        arguments="",
        parameters={},
        run="",
        usage_block="",
        usage_note="",
    )
