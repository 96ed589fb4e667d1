"""The rule language: pure Python, no I/O, no clock of its own, nothing of Django or of `flags`."""

from flags.engine.compiler import Ruleset, compile  # noqa: A004  (the word for it)
from flags.engine.decision import Decision, Override, Reason, Subject, Usable, Verdict
from flags.engine.document import Document
from flags.engine.lazy import Lazy
from flags.engine.parsing import parse
from flags.engine.problems import DocumentError
from flags.engine.shape import json_schema

__all__ = [
    "Decision",
    "Document",
    "DocumentError",
    "Lazy",
    "Override",
    "Reason",
    "Ruleset",
    "Subject",
    "Usable",
    "Verdict",
    "compile",
    "json_schema",
    "parse",
]
