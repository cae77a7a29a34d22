"""Why a rule, an action configuration or a recipient is not taken, kept or removed.

Each has the name of the SOAP fault that tells it to a client.
"""

from axis_nvr.errors import NvrError


class RuleError(NvrError):
    """The base of all below: nothing has changed."""


class ActionTemplateNotFound(RuleError):
    """There is no action template of this token."""


class ParametersMismatch(RuleError):
    """A parameter that the template has is missing, or one is given that it does not have."""


class InvalidActionConfiguration(RuleError):
    """The value of a parameter cannot be used, or there are too many configurations."""


class ActionConfigurationNotFound(RuleError):
    """There is no action configuration of this id."""


class ActionConfigurationInUse(RuleError):
    """Rules run the action.

    :param rules: id and name of each.
    """

    def __init__(self, configuration_id: int, rules: tuple[tuple[int, str], ...]) -> None:
        super().__init__(configuration_id, rules)
        self.configuration_id = configuration_id
        self.rules = rules

    def __str__(self) -> str:
        named = ", ".join(
            f"{rule_id} {name!r}" if name else f"{rule_id}" for rule_id, name in self.rules
        )
        return f"action configuration {self.configuration_id} is run by rules: {named}"


class RecipientTemplateNotFound(RuleError):
    """There is no recipient template of this token."""


class RecipientConfigurationNotFound(RuleError):
    """There is no recipient of this id."""


class ActionRuleNotFound(RuleError):
    """There is no rule of this id."""


class InvalidConditionFilter(RuleError):
    """A condition does not describe one event that has a state."""


class InsufficientActivationRule(RuleError):
    """A rule has neither a start event nor a condition, or too little for what its action is."""


class InvalidActivationTimeout(RuleError):
    """The time between two executions is not within its limits.

    :param maximum_seconds: the longest one taken.
    """

    def __init__(self, maximum_seconds: float) -> None:
        super().__init__(maximum_seconds)
        self.maximum_seconds = maximum_seconds

    def __str__(self) -> str:
        return f"the activation timeout must be from 0 to {self.maximum_seconds:g} s"


class InvalidFilter(RuleError):
    """A filter as a whole cannot be used, or there are too many rules, conditions or contents."""


class UnknownTopicDialect(RuleError):
    """The dialect of a topic expression is none that we know."""


class InvalidTopicExpression(RuleError):
    """A topic expression cannot be read."""


class InvalidMessageContentExpression(RuleError):
    """A message content expression cannot be read."""
