"""Configurations: what clients made of templates, kept in the state database.

Actions are kept so, and recipients. What is added is checked against how things are now; what is
there after a restart is taken as it is, since disks and devices may come later. Ids count upward,
each kind for itself, and are never used again. The values of all parameters are encrypted at rest;
those that are secret are never given back (`axis_nvr.services.rules.templates.shown`): a client
that changes an action, which is to remove it and to add another one, says the passwords again.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from twisted.internet.defer import DeferredLock

from axis_nvr.services.rules.errors import (
    ActionConfigurationNotFound,
    ActionTemplateNotFound,
    InvalidActionConfiguration,
    RecipientConfigurationNotFound,
    RecipientTemplateNotFound,
    RuleError,
)
from axis_nvr.services.rules.model import Configuration, Template
from axis_nvr.services.rules.templates import (
    ACTION_TEMPLATES,
    RECIPIENT_TEMPLATES,
    matched,
    shown,
)
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.vault import Vault

MAX_CONFIGURATIONS = 2048
MAX_RECIPIENTS = 256
#: Characters of a name, and of the value of a parameter.
MAX_NAME_CHARACTERS = 256
MAX_VALUE_CHARACTERS = 8192

#: Sees that a configuration can be made: gets the token of its template and its values.
Check = Callable[[str, Mapping[str, str]], None]
_Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is configured.

    :param name: for people.
    :param configured: one that is configured, for people.
    :param table: of the state database.
    :param limit: how many there may be.
    :param no_template: raised for a token that is none of its templates'.
    :param not_found: raised for an id that is none.
    """

    name: str
    configured: str
    table: str
    limit: int
    templates: tuple[Template, ...]
    no_template: type[RuleError]
    not_found: type[RuleError]

    def template(self, token: str) -> Template | None:
        """Find a template."""
        return next((template for template in self.templates if template.token == token), None)


ACTIONS = Kind(
    "action",
    "action configuration",
    "action_configurations",
    MAX_CONFIGURATIONS,
    ACTION_TEMPLATES,
    ActionTemplateNotFound,
    ActionConfigurationNotFound,
)
RECIPIENTS = Kind(
    "recipient",
    "recipient",
    "recipients",
    MAX_RECIPIENTS,
    RECIPIENT_TEMPLATES,
    RecipientTemplateNotFound,
    RecipientConfigurationNotFound,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A configuration: as it is shown, and its values, what is secret among them."""

    shown: Configuration
    values: Mapping[str, str] = field(repr=False)

    @property
    def template(self) -> str:
        """The token of its template."""
        return self.shown.template


class Configurations:
    """The configurations of one kind.

    :param lock: held while they change.
    :param check: raises `InvalidActionConfiguration` for what cannot be made.
    :param check_unused: raises `RuleError` for one that is not to be removed.
    :raises ConfigError: the database cannot be read, or its secrets are of another key.
    """

    def __init__(
        self,
        kind: Kind,
        database: StateDatabase,
        vault: Vault,
        lock: DeferredLock,
        *,
        check: Check = lambda token, values: None,
        check_unused: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.kind = kind
        self._database = database
        self._vault = vault
        self._lock = lock
        self._check = check
        self._check_unused = check_unused
        query = f"SELECT id, name, template, parameters FROM {kind.table} ORDER BY id"  # noqa: S608
        self._kept = {
            number: _kept(kind, number, name, token, _pairs(vault.decrypt(sealed)))
            for number, name, token, sealed in database.rows(query)
        }

    def __iter__(self) -> Iterator[Kept]:
        """Go through them by id."""
        return iter(tuple(self._kept.values()))

    def find(self, number: int) -> Kept:
        """Give one of them.

        :raises RuleError: the `not_found` of its kind: there is none of this id.
        """
        kept = self._kept.get(number)
        if kept is None:
            raise self.kind.not_found(f"no {self.kind.configured} {number}")
        return kept

    async def add(self, name: str, token: str, parameters: _Pairs) -> int:
        """Keep one.

        :param token: of its template.
        :returns: its id.
        :raises RuleError: the `no_template` of its kind: there is none of this token.
        :raises ParametersMismatch: not those of its template.
        :raises InvalidActionConfiguration: it cannot be made, is too long, or one too many.
        :raises StateError: it could not be kept.
        """
        kind = self.kind
        template = kind.template(token)
        if template is None:
            raise kind.no_template(f"no {kind.name} template {token!r:.120}")
        given = matched(template, parameters)
        _check_texts(name, parameters)
        self._check(token, given)
        async with self._lock:
            if len(self._kept) >= kind.limit:
                raise InvalidActionConfiguration(f"there are {kind.limit} {kind.name}s already")
            sealed = self._vault.encrypt(json.dumps(parameters))
            number = await self._database.execute(
                f"INSERT INTO {kind.table} (name, template, parameters) VALUES (?, ?, ?)",  # noqa: S608
                name,
                token,
                sealed,
            )
            self._kept[number] = _kept(kind, number, name, token, parameters)
        return number

    async def remove(self, number: int) -> None:
        """Forget one.

        :raises RuleError: there is none of this id, or it is in use.
        :raises StateError: it could not be forgotten.
        """
        async with self._lock:
            self.find(number)
            self._check_unused(number)
            statement = f"DELETE FROM {self.kind.table} WHERE id = ?"  # noqa: S608
            await self._database.execute(statement, number)
            del self._kept[number]


def _check_texts(name: str, parameters: _Pairs) -> None:
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidActionConfiguration(f"a name has at most {MAX_NAME_CHARACTERS} characters")
    for parameter, value in parameters:
        if len(value) > MAX_VALUE_CHARACTERS or "\0" in value:
            raise InvalidActionConfiguration(
                f"{parameter} must have at most {MAX_VALUE_CHARACTERS} characters, none of them 0"
            )


def _kept(kind: Kind, number: int, name: str, token: str, parameters: _Pairs) -> Kept:
    """Make what is kept in memory; of a template that is no more offered it is what was given."""
    template = kind.template(token)
    values = dict(parameters) if template is None else matched(template, parameters)
    return Kept(Configuration(number, name, token, shown(parameters)), values)


def _pairs(text: str) -> _Pairs:
    return tuple((name, value) for name, value in json.loads(text))
