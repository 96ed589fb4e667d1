"""The parts of Runware's answers that we use; the rest may be anything."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class _Picture(BaseModel):
    imageURL: str | None = None  # noqa: N815 - Runware's
    imageBase64Data: str | None = None  # noqa: N815 - as above
    cost: Any = None


class _Fault(BaseModel):
    code: Any = None
    message: Any = None


class Pictures(BaseModel):
    """What each task gave, and what went wrong with others."""

    data: list[_Picture] = []
    errors: list[_Fault] = []
