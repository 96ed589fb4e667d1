"""The parts of Gemini's answers that we use; the rest may be anything."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field


class _Data(BaseModel):
    data: str = ""


class _Part(BaseModel):
    """A text, a picture, or something else; thoughts are no part of the answer."""

    text: str = ""
    thought: bool = False
    inlineData: _Data | None = None  # noqa: N815 - Google's


class _Content(BaseModel):
    parts: list[_Part] = []


class _Candidate(BaseModel):
    content: _Content = _Content()
    finishReason: Any = None  # noqa: N815 - as above


class Generated(BaseModel):
    """Without candidates where the prompt was blocked."""

    candidates: list[_Candidate] = []
    modelVersion: Any = None  # noqa: N815 - as above
    usageMetadata: Any = None  # noqa: N815 - as above
    promptFeedback: Any = None  # noqa: N815 - as above

    @property
    def parts(self) -> list[_Part]:
        found = self.candidates[0].content.parts if self.candidates else []
        return [part for part in found if not part.thought]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def finish_reason(self) -> Any:
        if self.candidates:
            return self.candidates[0].finishReason
        feedback = self.promptFeedback
        return feedback.get("blockReason") if isinstance(feedback, dict) else None


class _Embedding(BaseModel):
    values: Annotated[list[float], Field(min_length=1)]


class Embedded(BaseModel):
    embeddings: list[_Embedding]
    usageMetadata: Any = None  # noqa: N815 - as above
