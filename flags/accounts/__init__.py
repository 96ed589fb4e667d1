"""What is known of accounts: read when an account is first met, kept, and read again on change."""

from flags.accounts.facts import Facts
from flags.accounts.lookup import facts_of, facts_of_key, facts_of_many
from flags.accounts.reading import UnknownAccount, account_by_key

__all__ = [
    "Facts",
    "UnknownAccount",
    "account_by_key",
    "facts_of",
    "facts_of_key",
    "facts_of_many",
]
