"""Every error as `{code, message, path?, details?}`, and the one table of HTTP statuses."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import IntegrityError
from django.db.models import ProtectedError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from flags.engine import DocumentError
from flags.guarding import Unconfirmed
from igny8_core.errors import AIError
from igny8_core.modules.system.errors import ModelInUse

# An AIError that is not here is a fault of what was asked.
STATUSES: dict[type[AIError], HTTPStatus] = {ModelInUse: HTTPStatus.CONFLICT}


def respond(error: Exception, _context: dict[str, Any]) -> Response | None:
    """The answer to an error, or None for one that is a fault of ours."""
    match error:
        case AIError():
            body: dict[str, Any] = {"code": error.code, "message": str(error)}
            return Response(body, STATUSES.get(type(error), HTTPStatus.BAD_REQUEST))
        case DocumentError() | Unconfirmed() | ProtectedError() | IntegrityError():
            return Response(_conflict(error), HTTPStatus.CONFLICT)
        case Http404() | ObjectDoesNotExist():  # or somebody has just deleted it
            error = exceptions.NotFound()
        case PermissionDenied():
            error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    faults = list(_faults(error.get_full_details(), ""))
    answer = faults[0] if len(faults) == 1 else {**faults[0], "details": faults}
    headers = {"WWW-Authenticate": error.auth_header} if hasattr(error, "auth_header") else {}
    wait_s = getattr(error, "wait", None)
    if wait_s:
        headers["Retry-After"] = str(math.ceil(wait_s))
    return Response(answer, error.status_code, headers=headers)


def _conflict(
    error: DocumentError | Unconfirmed | ProtectedError | IntegrityError,
) -> dict[str, Any]:
    """What stands in the way of a change."""
    match error:
        case DocumentError():
            return {"code": error.code, "message": str(error), "details": error.errors}
        case Unconfirmed():
            return {"code": error.code, "message": str(error), "confirm": error.token}
        case ProtectedError():
            return {"code": "protected", "message": _protected_by(error)}
    return {"code": "conflict", "message": "Somebody else has just written this; look again."}


def _protected_by(error: ProtectedError) -> str:
    """Which rows use what was to be deleted, counted."""
    counts = Counter(type(each)._meta for each in error.protected_objects)
    told = [
        f"{count:,} {meta.verbose_name if count == 1 else meta.verbose_name_plural}"
        for meta, count in counts.items()
    ]
    return f"It is used by {' and '.join(told)}."


def _faults(details: Any, path: str) -> Iterator[dict[str, Any]]:
    """DRF's nested details as a flat list; `path` where one field is at fault."""
    if isinstance(details, list):
        for part in details:
            yield from _faults(part, path)
    elif set(details) == {"message", "code"} and not isinstance(details["message"], dict | list):
        place = {"path": path} if path and path != "non_field_errors" else {}
        message = str(details["message"]).encode(errors="backslashreplace").decode()
        yield {"code": details["code"], "message": message, **place}
    else:
        for name, part in details.items():
            yield from _faults(part, f"{path}.{name}" if path else str(name))
