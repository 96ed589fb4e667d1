"""Pictures that are sent along with a prompt, or drawn."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from igny8_core.errors import AIError

MOST_IMAGES: Final = 20
MOST_CHARACTERS: Final = 28_000_000  # of base64: 20 MB, the most that a provider takes
_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


class InvalidImage(AIError):
    code = "invalid_image"

    def __init__(self, number: int, fault: str) -> None:
        super().__init__(f"Image {number} {fault}.")


class Image(NamedTuple):
    """One picture: an address to fetch it from, or its bytes in base64."""

    url: str | None = None
    b64: str | None = None

    @property
    def media_type(self) -> str:
        """Of its bytes, by their beginning; "" for none of PNG, JPEG, GIF and WebP."""
        try:
            begins = base64.b64decode((self.b64 or "")[:16])
        except binascii.Error:
            return ""
        return next((kind for magic, kind in _KINDS if begins.startswith(magic)), "")

    @property
    def data_url(self) -> str:
        return self.url or f"data:{self.media_type};base64,{self.b64}"


def check_images(images: Sequence[Image]) -> tuple[Image, ...]:
    """Those that a caller sends along; raises InvalidImage."""
    if len(images) > MOST_IMAGES:
        raise InvalidImage(len(images), f"is one too many: at most {MOST_IMAGES} are sent")
    for number, image in enumerate(images, 1):
        fault = _fault_of(image)
        if fault:
            raise InvalidImage(number, fault)
    return tuple(images)


def _fault_of(image: Image) -> str | None:
    if (image.url is None) == (image.b64 is None):
        return "has an address or its bytes, one of them"
    if image.url is not None:
        return None if _is_address(image.url) else f"has no address: {image.url!r:.60}"
    if len(image.b64 or "") > MOST_CHARACTERS:
        return f"has over {MOST_CHARACTERS:,} characters of base64"
    try:
        base64.b64decode(image.b64 or "", validate=True)
    except (binascii.Error, ValueError):
        return "is no base64"
    return None if image.media_type else "is none of PNG, JPEG, GIF and WebP"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return url.isprintable() and parts.scheme in {"http", "https"} and bool(parts.netloc)
