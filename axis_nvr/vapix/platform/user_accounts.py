"""``pwdgrp.cgi`` and ``usergroup.cgi``: accounts, and who one is.

The answers are sentences in an HTML page, in the words of Axis devices: clients compare them.
"""

import re
from dataclasses import replace

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import (
    STRICT_PASSWORD,
    Account,
    Accounts,
    BadAccountName,
    BadInitialAdmin,
    Role,
)
from axis_nvr.services.audit import Audit
from axis_nvr.vapix.call import Call, Endpoint, NeedsRole, Reply, html_reply, text_reply

MALFORMED = "Error: malformed action operation, {action}."
BAD_NAME = "Error: account user name."
FAILED = "Error: consult the system log file."
NO_ADMIN_YET = "Error: initial admin user must be created first."
BAD_FIRST_ADMIN = "Error: not a valid initial admin user."
UNKNOWN_ACTION = "Error: action operation type."
_ACTIONS = ("add", "update", "remove", "get")
_SETUP_HEADER = ("Axis-Setup", "vapix")
_NAME = re.compile("[A-Za-z0-9]{1,14}")


class Malformed(NvrError):
    """An argument is missing or not what it should be."""


def parse_groups(text: str) -> tuple[Role, bool]:
    """Read ``sgrp``: groups with colons between them, in any order, completed downward.

    :returns: the highest role, and whether ``ptz`` is among them.
    :raises Malformed: an unknown group, or none that is a role.
    """
    names = set(text.lower().split(":"))
    has_ptz = "ptz" in names
    names.discard("ptz")
    try:
        return max(Role[name.upper()] for name in names), has_ptz
    except (KeyError, ValueError):
        raise Malformed("sgrp") from None


class UserAccounts:
    """Serves accounts."""

    def __init__(self, accounts: Accounts, audit: Audit) -> None:
        self._accounts = accounts
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        return (
            Endpoint("/axis-cgi/pwdgrp.cgi", self.pwdgrp, None, before_setup=True),
            Endpoint("/axis-cgi/usergroup.cgi", self.usergroup, Role.VIEWER),
        )

    async def usergroup(self, call: Call) -> Reply:
        """Say who asks and what they may do."""
        account = self._accounts.all[call.account]
        roles = [role.name.lower() for role in reversed(Role) if role <= account.role]
        if account.has_ptz:
            roles.insert(-1, "ptz")
        return text_reply(f"{account.name}\r\n{' '.join([account.group, *roles])}\r\n")

    async def pwdgrp(self, call: Call) -> Reply:
        """Add, change, remove or list accounts."""
        if self._accounts.needs_setup:
            return await self._add_first(call)
        if call.role is None or call.role < Role.ADMIN:
            raise NeedsRole(Role.ADMIN)
        action = call.arguments.get("action", "")
        if action not in _ACTIONS:
            return html_reply(UNKNOWN_ACTION)
        if action == "get":
            return text_reply(self._groups())
        name = call.arguments.get("user", "")
        if not _NAME.fullmatch(name):
            return html_reply(BAD_NAME)
        try:
            done = await self._do(action, name, call)
        except Malformed:
            return html_reply(MALFORMED.format(action=action))
        except BadAccountName:
            return html_reply(BAD_NAME)
        except NvrError as error:
            self._note(call, action, name, str(error))
            return html_reply(FAILED)
        self._note(call, action, name)
        return html_reply(f"{done} account {name}.")

    async def _do(self, action: str, name: str, call: Call) -> str:
        if action == "remove":
            await self._accounts.remove(name)
            return "Removed"
        if action == "add":
            account, password = _new_account(name, call)
            await self._accounts.add(account, password)
            return "Created"
        groups = call.arguments.get("sgrp")
        rights = None if groups is None else parse_groups(groups)
        comment = call.arguments.get("comment")

        def change(account: Account) -> Account:
            if rights is not None:
                account = replace(account, role=rights[0], has_ptz=rights[1])
            return account if comment is None else replace(account, comment=comment)

        await self._accounts.update(name, change, _password(call))
        return "Modified"

    async def _add_first(self, call: Call) -> Reply:
        """Answer while there is no administrator: nothing but the first one can be made."""
        name = call.arguments.get("user", "")
        if call.arguments.get("action") != "add":
            return html_reply(NO_ADMIN_YET, 401, _SETUP_HEADER)
        try:
            account, password = _new_account(name, call)
            await self._accounts.add_first(account, password)
        except (BadInitialAdmin, BadAccountName, Malformed):
            return html_reply(BAD_FIRST_ADMIN, 401, _SETUP_HEADER)
        except NvrError as error:
            self._note(call, "add", name, str(error))
            return html_reply(FAILED)
        self._note(call, "add", name)
        return html_reply(f"Created account {name}.")

    def _groups(self) -> str:
        accounts = self._accounts.all.values()
        groups = {
            role.name.lower(): [account.name for account in accounts if account.role >= role]
            for role in reversed(Role)
        }
        groups["ptz"] = [account.name for account in accounts if account.has_ptz]
        groups["digusers"] = list(self._accounts.all)
        return "".join(f'{name}="{",".join(users)}"\r\n' for name, users in groups.items())

    def _note(self, call: Call, action: str, name: str, outcome: str = "ok") -> None:
        words = {"add": "create", "update": "change", "remove": "delete"}[action]
        self._audit.note(call.account, call.address, words, f"account {name:.40}", outcome)


def _new_account(name: str, call: Call) -> tuple[Account, str]:
    arguments = call.arguments
    password = _password(call)
    if password is None or "sgrp" not in arguments:
        raise Malformed("pwd and sgrp are needed")
    role, has_ptz = parse_groups(arguments["sgrp"])
    group = arguments.get("grp", "users")
    return Account(name, role, has_ptz, group, arguments.get("comment", "")), password


def _password(call: Call) -> str | None:
    password = call.arguments.get("pwd")
    strict = call.arguments.get("strict_pwd", "0") == "1"
    if password is not None and strict and not STRICT_PASSWORD.fullmatch(password):
        raise Malformed("pwd")
    return password
