"""Accounts: who may do what.

Roles are cumulative: an administrator may do all that an operator may, who may do all that a viewer
may. What is kept of a password is the hash that Digest needs, encrypted; it is good for one realm
only, and so for one serial number.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from axis_nvr.errors import NvrError
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.vault import Vault
from axis_nvr.session.digest import Credentials, secret_hash

#: Accounts there may be.
MAX_ACCOUNTS = 200
#: Characters of a password and of a comment.
MAX_PASSWORD_CHARACTERS = 512
MAX_COMMENT_CHARACTERS = 512
#: Characters of a password, and which, where the client asks for a strict one.
STRICT_PASSWORD = re.compile("[\x20-\x7e]{1,64}")

_NAME = re.compile("[A-Za-z0-9]{1,14}")


class Role(IntEnum):
    """What an account may do; each may do all that those before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class AccountError(NvrError):
    """An account cannot be made, changed or removed."""


class BadAccountName(AccountError):
    """No name for an account."""


class BadInitialAdmin(AccountError):
    """What was given is no first administrator."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account.

    :param group: its primary group: ``root`` for the first administrator, else ``users``.
    :param secret: H(A1) of Digest with MD5 (RFC 7616 §3.4.2).
    """

    name: str
    role: Role
    has_ptz: bool = False
    group: str = "users"
    comment: str = ""
    secret: str = field(default="", repr=False)


class Accounts:
    """The accounts, in memory and in the state database.

    :param realm: of Digest, such as ``AXIS_ACCC8E012345``.
    """

    log = Logger()

    def __init__(self, database: StateDatabase, vault: Vault, realm: str) -> None:
        self.realm = realm
        self._database = database
        self._vault = vault
        self._lock = DeferredLock()
        self._accounts: dict[str, Account] = {}
        query = "SELECT name, role, has_ptz, primary_group, comment, secret, realm FROM accounts"
        for name, role, has_ptz, group, comment, secret, of_realm in database.rows(query):
            if of_realm != realm:
                self.log.error(
                    "the account {account} was made for {realm} and cannot be used: start with"
                    " that serial number, or make the account anew",
                    account=name,
                    realm=of_realm,
                )
                continue
            self._accounts[name] = Account(
                name, Role[role.upper()], bool(has_ptz), group, comment, vault.decrypt(secret)
            )

    @property
    def all(self) -> Mapping[str, Account]:
        """The accounts by name."""
        return MappingProxyType(self._accounts)

    @property
    def needs_setup(self) -> bool:
        """Whether there is no administrator yet."""
        return not any(account.role is Role.ADMIN for account in self._accounts.values())

    def secret_of(self, name: str) -> str | None:
        """Give H(A1) of an account, None for one that is not there."""
        account = self._accounts.get(name)
        return None if account is None else account.secret

    async def add_first(self, account: Account, password: str) -> None:
        """Add the first administrator.

        :raises BadInitialAdmin: there is one already, or this is none.
        :raises StateError: it could not be kept.
        """
        async with self._lock:
            if not self.needs_setup:
                raise BadInitialAdmin("there is an administrator already")
            if (account.role, account.group) != (Role.ADMIN, "root"):
                raise BadInitialAdmin("the first account must be an administrator's")
            await self._put(account, password, is_new=True)

    async def add(self, account: Account, password: str) -> None:
        """Add an account.

        :raises AccountError: there is one of this name, or it cannot be.
        :raises StateError: it could not be kept.
        """
        async with self._lock:
            if account.name in self._accounts:
                raise AccountError(f"{account.name} exists already")
            if len(self._accounts) >= MAX_ACCOUNTS:
                raise AccountError(f"there are {MAX_ACCOUNTS} accounts already")
            await self._put(account, password, is_new=True)

    async def update(
        self, name: str, change: Callable[[Account], Account], password: str | None = None
    ) -> None:
        """Change an account.

        :param change: gives the account as it is to be, its name and secret unchanged.
        :param password: None leaves it.
        :raises AccountError: there is none, or no administrator would be left.
        :raises StateError: it could not be kept.
        """
        async with self._lock:
            present = self._find(name)
            account = change(present)
            if present.role is Role.ADMIN and account.role is not Role.ADMIN:
                self._keep_an_admin(name)
            await self._put(account, password, is_new=False)

    async def remove(self, name: str) -> None:
        """Remove an account.

        :raises AccountError: there is none, or it is the last administrator's.
        :raises StateError: it could not be kept.
        """
        async with self._lock:
            if self._find(name).role is Role.ADMIN:
                self._keep_an_admin(name)
            await self._database.execute("DELETE FROM accounts WHERE name = ?", name)
            del self._accounts[name]

    def _find(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            raise AccountError(f"there is no account {name!r:.40}")
        return account

    def _keep_an_admin(self, name: str) -> None:
        if not any(a.role is Role.ADMIN and a.name != name for a in self._accounts.values()):
            raise AccountError(f"{name} is the last administrator")

    async def _put(self, account: Account, password: str | None, *, is_new: bool) -> None:
        if not _NAME.fullmatch(account.name):
            raise BadAccountName(f"no account name: {account.name!r:.40}")
        if len(account.comment) > MAX_COMMENT_CHARACTERS:
            raise AccountError(f"a comment of over {MAX_COMMENT_CHARACTERS} characters")
        if password is not None or is_new:
            if not password or len(password) > MAX_PASSWORD_CHARACTERS:
                raise AccountError(f"a password has 1 to {MAX_PASSWORD_CHARACTERS} characters")
            secret = secret_hash(Credentials(account.name, password), self.realm)
            account = replace(account, secret=secret)
        row = (
            account.name,
            account.role.name.lower(),
            account.has_ptz,
            account.group,
            account.comment,
            self.realm,
            self._vault.encrypt(account.secret),
        )
        statement = "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)"
        await self._database.execute(statement, *row)
        self._accounts[account.name] = account
