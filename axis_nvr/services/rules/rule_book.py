"""The rule book: actions, recipients and rules, kept in the state database.

What is added is checked against how things are now; what is there after a restart is taken as it
is, since disks and devices may come later than the rules. Ids count upward and are never used
again.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import DeferredLock

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.rules.configurations import (
    ACTIONS,
    MAX_NAME_CHARACTERS,
    RECIPIENTS,
    Check,
    Configurations,
)
from axis_nvr.services.rules.errors import (
    ActionConfigurationInUse,
    ActionRuleNotFound,
    InsufficientActivationRule,
    InvalidActivationTimeout,
    InvalidFilter,
)
from axis_nvr.services.rules.filters import check_condition, compiled
from axis_nvr.services.rules.model import ActionRule, FilterText
from axis_nvr.services.rules.templates import GROUP_RECORDING, is_unlimited
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.vault import Vault

#: Twice as many as devices: one rule for motion of each, and one that records it all the time.
MAX_RULES = 2048
#: Conditions of one rule.
MAX_CONDITIONS = 32
#: The longest time between two executions, in seconds: a day.
MAX_ACTIVATION_SECONDS = 86_400.0


class RuleBook:
    """The rules, and what they do.

    :param check: raises `InvalidActionConfiguration` for an action that cannot be made.
    :ivar actions: what rules run.
    :ivar recipients: kept for clients that ask for them again; no action reads them.
    :ivar added: told of each rule that was added.
    :ivar removed: told of the id of each rule that was removed.
    :raises ConfigError: the database cannot be read, or its secrets are of another key.
    """

    def __init__(self, database: StateDatabase, vault: Vault, bus: EventBus, check: Check) -> None:
        self.added: Callable[[ActionRule], None] = lambda rule: None
        self.removed: Callable[[int], None] = lambda rule_id: None
        self._database = database
        self._bus = bus
        self._lock = lock = DeferredLock()
        self.actions = Configurations(
            ACTIONS, database, vault, lock, check=check, check_unused=self._check_unused
        )
        self.recipients = Configurations(RECIPIENTS, database, vault, lock)
        self._rules = {
            row[0]: _rule(*row)
            for row in database.rows(
                "SELECT id, name, enabled, start_event, conditions, timeout, primary_action,"
                " failover_action FROM action_rules ORDER BY id"
            )
        }

    @property
    def rules(self) -> tuple[ActionRule, ...]:
        """The rules by id."""
        return tuple(self._rules.values())

    def uses_group(self, group_id: str) -> bool:
        """Tell whether an action records by a recording group: such a group is not deleted."""
        return any(
            action.template == GROUP_RECORDING and action.values["recording_group_id"] == group_id
            for action in self.actions
        )

    def _check_unused(self, action_id: int) -> None:
        users = tuple(
            (rule.id, rule.name)
            for rule in self._rules.values()
            if action_id in (rule.primary_action, rule.failover_action)
        )
        if users:
            raise ActionConfigurationInUse(action_id, users)

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
            number = await self._database.execute(
                "INSERT INTO action_rules (name, enabled, start_event, conditions, timeout,"
                " primary_action, failover_action) VALUES (?, ?, ?, ?, ?, ?, ?)",
                rule.name,
                rule.enabled,
                _filter_text(rule.start_event),
                json.dumps([_filter_text(condition) for condition in rule.conditions]),
                rule.activation_timeout_seconds,
                rule.primary_action,
                rule.failover_action,
            )
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
            await self._database.execute("DELETE FROM action_rules WHERE id = ?", rule_id)
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
        template = self.actions.find(rule.primary_action).template
        if rule.failover_action is not None:
            self.actions.find(rule.failover_action)
        if not rule.conditions and rule.start_event is None:
            raise InsufficientActivationRule("a rule needs a start event or a condition")
        if not rule.conditions and is_unlimited(template):
            raise InsufficientActivationRule(
                "an unlimited action needs a condition: a start event alone cannot end it"
            )


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
