"""ETags of models, and the refusal of a write that was made from an older one."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus

from rest_framework.exceptions import APIException

from flags.host import last_change
from igny8_core.catalogue.names import MODELS
from igny8_core.modules.system.models import AIModel


class Stale(APIException):
    """The row is not what If-Match says: somebody has written it since."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "stale"

    def __init__(self, model_id: str, etag: str) -> None:
        last = last_change((*MODELS, model_id))
        who = f"{last.author or 'a program'} (revision {last.number})" if last else "somebody"
        super().__init__(
            f"It was changed since it was read, last by {who}: its ETag is {etag}. Read it again."
        )


def etag_of(model: AIModel) -> str:
    """Of the row and its prices, as they were read: every write of either makes another."""
    prices = sorted((each.effective_from, each.pk, each.is_free) for each in model.prices.all())
    columns = {field.attname: getattr(model, field.attname) for field in model._meta.fields}
    text = json.dumps([columns, *prices], default=str, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
