"""What can be wrong with an account."""

from __future__ import annotations

from igny8_core.errors import AIError


class AccountKeyIsFixed(AIError):
    code = "account_key_is_fixed"

    def __init__(self, key: str, new_key: str) -> None:
        self.key = key
        self.new_key = new_key
        super().__init__(
            f"Account {key!r} cannot become {new_key!r}: rules, splits and receipts use its key.",
        )
