"""Tokens that stand for an account for a few seconds.

A page in a browser cannot answer a challenge to its WebSocket. It asks for a token by HTTP, where
it can, and names it in the URL of the WebSocket. A token is good until its time is up, also twice:
a page that opens four players may use one for all of them.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from axis_nvr.services.accounts import Account, Accounts

#: How long a token is good for.
TOKEN_SECONDS = 15.0
#: Tokens that are good at a time, in all and of one account; then the oldest is good no more.
MAX_TOKENS = 2000
MAX_ACCOUNT_TOKENS = 500

#: Tokens are decimal numbers of 20 digits that fit 64 bits: 62 bits nobody can guess.
_LEAST, _END = 10**19, 2**64


class _Token(NamedTuple):
    account: str
    due: float


class SessionTokens:
    """Makes tokens and knows whose they are.

    Only hashes of them are kept and looked up, so the time that takes tells nothing of a token.

    :param now: a clock that never steps, in seconds.
    """

    def __init__(self, accounts: Accounts, now: Callable[[], float]) -> None:
        self._accounts = accounts
        self._now = now
        self._tokens: OrderedDict[bytes, _Token] = OrderedDict()  # the oldest first

    def issue(self, account: str) -> str:
        """Make a token for an account."""
        self._forget()
        theirs = [key for key, token in self._tokens.items() if token.account == account]
        if len(theirs) >= MAX_ACCOUNT_TOKENS:
            del self._tokens[theirs[0]]
        if len(self._tokens) >= MAX_TOKENS:
            self._tokens.popitem(last=False)
        token = str(_LEAST + secrets.randbelow(_END - _LEAST))
        self._tokens[_key(token)] = _Token(account, self._now() + TOKEN_SECONDS)
        return token

    def account_of(self, token: str) -> Account | None:
        """Tell whose a token is; None if it is good no more, or nobody's."""
        self._forget()
        found = self._tokens.get(_key(token))
        return None if found is None else self._accounts.all.get(found.account)

    def _forget(self) -> None:
        """Drop those whose time is up."""
        now = self._now()
        while self._tokens:
            key, token = next(iter(self._tokens.items()))
            if token.due > now:
                break
            del self._tokens[key]


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
