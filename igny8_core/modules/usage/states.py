"""How far a receipt is, what came of its request, and how its cost is known."""

from __future__ import annotations

from django.db import models

# A receipt's status, where it is not the code of a ProviderError.
OK = "ok"
UNMETERED = "unmetered"  # an answer without token counts
UNPRICED = "unpriced"  # what it took has no price, or cannot be
INTERRUPTED = "interrupted"  # the call was cut off
PENDING = "pending"  # nothing is known of its end yet, or ever


class State(models.TextChoices):
    """How far a receipt is; one whose process was killed is closed as unknown later."""

    OPEN = "open"
    SETTLED = "settled"
    UNKNOWN = "unknown"


ANSWERED = frozenset({OK, UNMETERED, UNPRICED})
