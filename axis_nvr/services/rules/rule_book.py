"""The rule book: action configurations, recipients and rules, kept in the state database.

What is added is checked against how things are now; what is there after a restart is taken as it
is, since disks and devices may come later than the rules. Ids count upward, each kind for itself,
and are never used again. The values of all parameters are encrypted at rest; those that are secret
are never given back (`axis_nvr.services.rules.templates.shown`): a client that changes an action,
which is to remove it and to add another one, says the passwords again.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import DeferredLock

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.rules.errors import (
    ActionConfigurationInUse,
    ActionConfigurationNotFound,
    ActionRuleNotFound,
    ActionTemplateNotFound,
    InsufficientActivationRule,
    InvalidActionConfiguration,
    InvalidActivationTimeout,
    InvalidFilter,
    RecipientConfigurationNotFound,
    RecipientTemplateNotFound,
)
from axis_nvr.services.rules.filters import check_condition, compiled
from axis_nvr.services.rules.model import ActionRule, Configuration, FilterText, Template
from axis_nvr.services.rules.templates import (
    ACTION_TEMPLATES,
    GROUP_RECORDING,
    RECIPIENT_TEMPLATES,
    is_unlimited,
    matched,
    shown,
)
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.vault import Vault

#: Twice as many as devices: one rule for motion of each, and one that records it all the time.
MAX_RULES = 2048
MAX_CONFIGURATIONS = 2048
MAX_RECIPIENTS = 256
#: Conditions of one rule.
MAX_CONDITIONS = 32
#: Characters of a name, and of the value of a parameter.
MAX_NAME_CHARACTERS = 256
MAX_VALUE_CHARACTERS = 8192
#: The longest time between two executions, in seconds: a day.
MAX_ACTIVATION_SECONDS = 86_400.0

#: Sees that an action can be made: gets the token of its template and its values.
Check = Callable[[str, Mapping[str, str]], None]
_Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A configuration: as it is shown, and its values."""

    shown: Configuration
    values: Mapping[str, str]


class RuleBook:
    """The rules, and what they do.

    :param check: raises `InvalidActionConfiguration` for an action that cannot be made.
    :ivar added: told of each rule that was added.
    :ivar removed: told of the id of each rule that was removed.
    :raises ConfigError: the database cannot be read, or its secrets are of another key.
    """

    def __init__(self, database: StateDatabase, vault: Vault, bus: EventBus, check: Check) -> None:
        self.added: Callable[[ActionRule], None] = lambda rule: None
        self.removed: Callable[[int], None] = lambda rule_id: None
        self._database = database
        self._vault = vault
        self._bus = bus
        self._check = check
        self._lock = DeferredLock()
        self._configurations = self._load("action_configurations", ACTION_TEMPLATES)
        self._recipients = self._load("recipients", RECIPIENT_TEMPLATES)
        self._rules = {
            row[0]: _rule(*row)
            for row in database.rows(
                "SELECT id, name, enabled, start_event, conditions, timeout, primary_action,"
                " failover_action FROM action_rules ORDER BY id"
            )
        }

    def _load(self, table: str, templates: tuple[Template, ...]) -> dict[int, _Kept]:
        query = f"SELECT id, name, template, parameters FROM {table} ORDER BY id"  # noqa: S608
        return {
            row[0]: _kept(row[0], row[1], row[2], _pairs(self._vault.decrypt(row[3])), templates)
            for row in self._database.rows(query)
        }

    # What there is.

    @property
    def action_templates(self) -> tuple[Template, ...]:
        """What actions can be made of."""
        return ACTION_TEMPLATES

    @property
    def recipient_templates(self) -> tuple[Template, ...]:
        """What recipients can be made of."""
        return RECIPIENT_TEMPLATES

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The actions by id, without what is secret."""
        return tuple(kept.shown for kept in self._configurations.values())

    @property
    def recipients(self) -> tuple[Configuration, ...]:
        """The recipients by id, without what is secret."""
        return tuple(kept.shown for kept in self._recipients.values())

    @property
    def rules(self) -> tuple[ActionRule, ...]:
        """The rules by id."""
        return tuple(self._rules.values())

    def action(self, configuration_id: int) -> tuple[str, Mapping[str, str]]:
        """Give the token of an action's template and its values, what is secret among them.

        :raises ActionConfigurationNotFound: there is none of this id.
        """
        kept = self._configurations.get(configuration_id)
        if kept is None:
            raise ActionConfigurationNotFound(f"no action configuration {configuration_id}")
        return kept.shown.template, kept.values

    def uses_group(self, group_id: str) -> bool:
        """Tell whether an action records by a recording group: such a group is not deleted."""
        return any(
            kept.shown.template == GROUP_RECORDING and kept.values["recording_group_id"] == group_id
            for kept in self._configurations.values()
        )

    # Actions.

    async def add_configuration(self, name: str, template: str, parameters: _Pairs) -> int:
        """Keep an action.

        :returns: its id.
        :raises ActionTemplateNotFound: see there, and the next ones.
        :raises ParametersMismatch:
        :raises InvalidActionConfiguration:
        :raises StateError: it could not be kept.
        """
        found = _template(template, ACTION_TEMPLATES)
        if found is None:
            raise ActionTemplateNotFound(f"no action template {template!r:.120}")
        given = matched(found, parameters)
        _check_texts(name, parameters)
        self._check(template, given)
        async with self._lock:
            if len(self._configurations) >= MAX_CONFIGURATIONS:
                raise InvalidActionConfiguration(f"there are {MAX_CONFIGURATIONS} actions already")
            number = await self._insert("action_configurations", name, template, parameters)
            self._configurations[number] = _kept(
                number, name, template, parameters, ACTION_TEMPLATES
            )
        return number

    async def remove_configuration(self, configuration_id: int) -> None:
        """Forget an action.

        :raises ActionConfigurationNotFound: there is none of this id.
        :raises ActionConfigurationInUse: rules name it.
        :raises StateError: it could not be forgotten.
        """
        async with self._lock:
            self.action(configuration_id)
            users = tuple(
                (rule.id, rule.name)
                for rule in self._rules.values()
                if configuration_id in (rule.primary_action, rule.failover_action)
            )
            if users:
                raise ActionConfigurationInUse(configuration_id, users)
            await self._delete("action_configurations", configuration_id)
            del self._configurations[configuration_id]

    # Recipients.

    async def add_recipient(self, name: str, template: str, parameters: _Pairs) -> int:
        """Keep a recipient: for clients that ask for it again; no action reads it.

        :returns: its id.
        :raises RecipientTemplateNotFound: see there, and the next one.
        :raises ParametersMismatch:
        :raises InvalidActionConfiguration: too many, or too long.
        :raises StateError: it could not be kept.
        """
        found = _template(template, RECIPIENT_TEMPLATES)
        if found is None:
            raise RecipientTemplateNotFound(f"no recipient template {template!r:.120}")
        matched(found, parameters)
        _check_texts(name, parameters)
        async with self._lock:
            if len(self._recipients) >= MAX_RECIPIENTS:
                raise InvalidActionConfiguration(f"there are {MAX_RECIPIENTS} recipients already")
            number = await self._insert("recipients", name, template, parameters)
            self._recipients[number] = _kept(
                number, name, template, parameters, RECIPIENT_TEMPLATES
            )
        return number

    async def remove_recipient(self, recipient_id: int) -> None:
        """Forget a recipient.

        :raises RecipientConfigurationNotFound: there is none of this id.
        :raises StateError: it could not be forgotten.
        """
        async with self._lock:
            if recipient_id not in self._recipients:
                raise RecipientConfigurationNotFound(f"no recipient {recipient_id}")
            await self._delete("recipients", recipient_id)
            del self._recipients[recipient_id]

    # Rules.

    async def add_rule(self, rule: ActionRule) -> int:
        """Keep a rule and let it work.

        :param rule: its id is not looked at.
        :returns: its id.
        :raises RuleError: what is wrong with it, by name.
        :raises StateError: it could not be kept.
        """
        self._check_rule(rule)
        async with self._lock:
            self._check_actions(rule)
            if len(self._rules) >= MAX_RULES:
                raise InvalidFilter(f"there are {MAX_RULES} rules already")
            values = (
                rule.name,
                rule.enabled,
                _filter_text(rule.start_event),
                json.dumps([_filter_text(condition) for condition in rule.conditions]),
                rule.activation_timeout_seconds,
                rule.primary_action,
                rule.failover_action,
            )

            def work(connection: sqlite3.Connection) -> int:
                insert = (
                    "INSERT INTO action_rules (name, enabled, start_event, conditions, timeout,"
                    " primary_action, failover_action) VALUES (?, ?, ?, ?, ?, ?, ?)"
                )
                return connection.execute(insert, values).lastrowid or 0

            number = await self._database.change(work)
            kept = self._rules[number] = replace(rule, id=number)
        self.added(kept)
        return number

    async def remove_rule(self, rule_id: int) -> None:
        """Forget a rule; what it runs ends.

        :raises ActionRuleNotFound: there is none of this id.
        :raises StateError: it could not be forgotten, and goes on.
        """
        async with self._lock:
            if rule_id not in self._rules:
                raise ActionRuleNotFound(f"no rule {rule_id}")
            await self._delete("action_rules", rule_id)
            del self._rules[rule_id]
        self.removed(rule_id)

    def _check_rule(self, rule: ActionRule) -> None:
        if len(rule.name) > MAX_NAME_CHARACTERS or len(rule.conditions) > MAX_CONDITIONS:
            raise InvalidFilter(
                f"a rule has at most {MAX_CONDITIONS} conditions, and its name at most"
                f" {MAX_NAME_CHARACTERS} characters"
            )
        timeout = rule.activation_timeout_seconds
        if timeout is not None and not 0 <= timeout <= MAX_ACTIVATION_SECONDS:
            raise InvalidActivationTimeout(MAX_ACTIVATION_SECONDS)
        if rule.start_event is not None:
            compiled(rule.start_event)
        for condition in rule.conditions:
            check_condition(compiled(condition), self._bus)

    def _check_actions(self, rule: ActionRule) -> None:
        template, _ = self.action(rule.primary_action)
        if rule.failover_action is not None:
            self.action(rule.failover_action)
        if not rule.conditions and rule.start_event is None:
            raise InsufficientActivationRule("a rule needs a start event or a condition")
        if not rule.conditions and is_unlimited(template):
            raise InsufficientActivationRule(
                "an unlimited action needs a condition: a start event alone cannot end it"
            )

    # The database.

    async def _insert(self, table: str, name: str, template: str, parameters: _Pairs) -> int:
        sealed = self._vault.encrypt(json.dumps(parameters))

        def work(connection: sqlite3.Connection) -> int:
            insert = f"INSERT INTO {table} (name, template, parameters) VALUES (?, ?, ?)"  # noqa: S608
            return connection.execute(insert, (name, template, sealed)).lastrowid or 0

        number: int = await self._database.change(work)
        return number

    async def _delete(self, table: str, number: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"DELETE FROM {table} WHERE id = ?", (number,))  # noqa: S608

        await self._database.change(work)


def _template(token: str, templates: tuple[Template, ...]) -> Template | None:
    return next((template for template in templates if template.token == token), None)


def _check_texts(name: str, parameters: _Pairs) -> None:
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidActionConfiguration(f"a name has at most {MAX_NAME_CHARACTERS} characters")
    for parameter, value in parameters:
        if len(value) > MAX_VALUE_CHARACTERS or "\0" in value:
            raise InvalidActionConfiguration(
                f"{parameter} must have at most {MAX_VALUE_CHARACTERS} characters, none of them 0"
            )


def _kept(
    number: int, name: str, token: str, parameters: _Pairs, templates: tuple[Template, ...]
) -> _Kept:
    """Make what is kept in memory; of a template that is no more offered it is what was given."""
    template = _template(token, templates)
    values = dict(parameters) if template is None else matched(template, parameters)
    return _Kept(Configuration(number, name, token, shown(parameters)), values)


def _pairs(text: str) -> _Pairs:
    return tuple((name, value) for name, value in json.loads(text))


def _filter_text(text: FilterText | None) -> str | None:
    if text is None:
        return None
    return json.dumps([text.topic, text.topic_dialect, *text.contents])


def _read_filter(kept: str) -> FilterText:
    topic, dialect, *contents = json.loads(kept)
    return FilterText(topic, dialect, tuple(contents))


def _rule(number: int, name: str, enabled: int, start: str | None, *rest: Any) -> ActionRule:
    conditions, timeout, primary, failover = rest
    return ActionRule(
        number,
        name,
        bool(enabled),
        _read_filter(start) if start is not None else None,
        tuple(_read_filter(condition) for condition in json.loads(conditions)),
        timeout,
        primary,
        failover,
    )
