"""How long calls took, as text that can be joined: a letter for each call, its bucket.

The bounds of the buckets grow by a fifth each, from 1 ms to 17 minutes, so that a percentile of any
rows together is read to within a tenth of its value, or 1 ms.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from math import ceil, sqrt
from typing import Any, Final

from django.db.models import Aggregate, Func, TextField

BOUNDS_MS: Final = sorted({round(2 ** (step / 4)) for step in range(81)})
_FIRST: Final = ord("0")


def letter(latency_ms: int) -> str:
    """`0` is below the first bound."""
    return chr(_FIRST + bisect_right(BOUNDS_MS, latency_ms))


def percentile_ms(letters: str, share: float) -> int | None:
    """The middle of the bucket in which so great a share of the calls ends; None of no calls."""
    rank = max(ceil(share * len(letters)), 1)
    counts = Counter(letters)
    for each in sorted(counts):
        rank -= counts[each]
        if rank <= 0:
            return _middle_ms(ord(each) - _FIRST)
    return None


def _middle_ms(bucket: int) -> int:
    if bucket in {0, len(BOUNDS_MS)}:
        return BOUNDS_MS[-1] if bucket else 0
    return round(sqrt(BOUNDS_MS[bucket - 1] * (BOUNDS_MS[bucket] - 1)))


class Letter(Func):
    """`letter()` in SQL."""

    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **options: Any) -> Any:
        bounds = ", ".join(map(str, BOUNDS_MS))
        template = f"CHR({_FIRST} + WIDTH_BUCKET(%(expressions)s, ARRAY[{bounds}]))"
        return super().as_sql(compiler, connection, template=template, **options)

    def as_sqlite(self, compiler: Any, connection: Any, **options: Any) -> Any:
        cases = " ".join(
            f"WHEN %(expressions)s < {bound} THEN {_FIRST + number}"
            for number, bound in enumerate(BOUNDS_MS)
        )
        template = f"CHAR(CASE {cases} ELSE {_FIRST + len(BOUNDS_MS)} END)"
        return super().as_sql(compiler, connection, template=template, **options)


class Joined(Aggregate):
    """The texts of a group, one after the other; in no order, which would cost a sort."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, '')"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **options: Any) -> Any:
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **options)
