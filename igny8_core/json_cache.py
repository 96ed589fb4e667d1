"""Values in the shared cache are JSON: nothing that is read from there can run code."""

from __future__ import annotations

import logging
from typing import Any

from django_redis.serializers.json import JSONSerializer

logger = logging.getLogger(__name__)


class CheckedJSONSerializer(JSONSerializer):
    """A value that is no JSON is a miss."""

    def loads(self, value: bytes) -> Any:
        try:
            return super().loads(value)
        except (ValueError, RecursionError) as error:
            logger.warning("A value in the cache is no JSON; it is not used: %s", error)
            return None
