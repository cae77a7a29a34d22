"""The action service: templates, actions, recipients, rules.

Nothing is changed in place: who wants a rule or a configuration otherwise removes it and adds it.
"""

from collections.abc import Callable, Iterable, Mapping
from xml.etree import ElementTree as ET

from axis_nvr.services.audit import Audit
from axis_nvr.services.rules import errors
from axis_nvr.services.rules.errors import RuleError
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.vapix.call import Call
from axis_nvr.vapix.soap.action_configurations import ConfigurationOperations
from axis_nvr.vapix.soap.action_rules import read_rule, rule_element
from axis_nvr.vapix.soap.document import Node
from axis_nvr.vapix.soap.durations import write_duration
from axis_nvr.vapix.soap.faults import SoapFault, sender_fault
from axis_nvr.vapix.soap.fields import Fields, nothing
from axis_nvr.vapix.soap.filters import wsnt_fault
from axis_nvr.vapix.soap.names import ACTION
from axis_nvr.vapix.soap.service import Operation, SoapService
from axis_nvr.vapix.xml_cgi import element

#: The fault of each error of the rules; ``Missmatch`` is how devices spell it.
FAULTS: Mapping[type[RuleError], str] = {
    errors.ActionTemplateNotFound: "ActionTemplateNotFoundFault",
    errors.ParametersMismatch: "ParametersMissmatchFault",
    errors.InvalidActionConfiguration: "InvalidActionConfigurationFault",
    errors.ActionConfigurationNotFound: "ActionConfigurationNotFoundFault",
    errors.ActionConfigurationInUse: "ActionConfigurationIsInUseFault",
    errors.RecipientTemplateNotFound: "RecipientTemplateNotFoundFault",
    errors.RecipientConfigurationNotFound: "RecipientConfigurationNotFoundFault",
    errors.ActionRuleNotFound: "ActionRuleNotFoundFault",
    errors.InvalidConditionFilter: "InvalidConditionFilterFault",
    errors.InsufficientActivationRule: "InsufficientActivationRuleFault",
    errors.InvalidActivationTimeout: "InvalidActivationTimeoutFault",
}
#: Those of WS-Notification.
WSNT_FAULTS: Mapping[type[RuleError], str] = {
    errors.InvalidFilter: "InvalidFilterFault",
    errors.UnknownTopicDialect: "TopicExpressionDialectUnknownFault",
    errors.InvalidTopicExpression: "InvalidTopicExpressionFault",
    errors.InvalidMessageContentExpression: "InvalidMessageContentExpressionFault",
}
#: What a client may take for operations: nothing is changed in place.
ABSENT = frozenset(
    f"{verb}{noun}"
    for verb in ("Set", "Change", "Update", "Modify")
    for noun in (
        "ActionConfiguration",
        "ActionConfigurationParameters",
        "ActionRule",
        "RecipientConfiguration",
        "RecipientConfigurationParameters",
    )
)


class ActionService:
    """Serves the operations of the action service.

    :param utc: the time of day, in seconds since 1970.
    """

    def __init__(self, book: RuleBook, audit: Audit, utc: Callable[[], float]) -> None:
        self._book = book
        self._audit = audit
        self._utc = utc

    def service(self) -> SoapService:
        """Return them by their names."""
        actions = ConfigurationOperations("Action", self._book.actions, self._audit)
        recipients = ConfigurationOperations("Recipient", self._book.recipients, self._audit)
        operations: dict[str, Operation] = {
            "GetActionTemplates": actions.get_templates,
            "GetRecipientTemplates": recipients.get_templates,
            "AddActionConfiguration": actions.add,
            "GetActionConfigurations": actions.get,
            "RemoveActionConfiguration": actions.remove,
            "AddRecipientConfiguration": recipients.add,
            "GetRecipientConfigurations": recipients.get,
            "RemoveRecipientConfiguration": recipients.remove,
            "AddActionRule": self.add_action_rule,
            "GetActionRules": self.get_action_rules,
            "RemoveActionRule": self.remove_action_rule,
        }
        told = {name: self._told(operation) for name, operation in operations.items()}
        return SoapService(ACTION, told, ABSENT)

    def _told(self, operation: Operation) -> Operation:
        """Give the errors of the rules their faults."""

        async def told(call: Call, body: Node) -> ET.Element:
            try:
                return await operation(call, body)
            except RuleError as error:
                fault = self._fault(error)
                if fault is None:
                    raise
                raise fault from error

        return told

    async def add_action_rule(self, call: Call, body: Node) -> ET.Element:
        """Make a rule."""
        node = Fields(body, ("NewActionRule",)).need("NewActionRule")
        made = await self._book.add_rule(read_rule(node, self._wsnt_fault))
        self._note(call, "create", f"rule {made}")
        return element("aa:AddActionRuleResponse", [element("aa:RuleID", str(made))])

    async def get_action_rules(self, call: Call, body: Node) -> ET.Element:
        """List the rules."""
        nothing(body)
        found = [rule_element(rule) for rule in self._book.rules]
        return element("aa:GetActionRulesResponse", [element("aa:ActionRules", found)])

    async def remove_action_rule(self, call: Call, body: Node) -> ET.Element:
        """Remove a rule; what it runs ends."""
        rule_id = Fields(body, ("RuleID",)).integer("RuleID")
        await self._book.remove_rule(rule_id)
        self._note(call, "delete", f"rule {rule_id}")
        return element("aa:RemoveActionRuleResponse")

    def _note(self, call: Call, action: str, target: str) -> None:
        self._audit.note(call.account, call.address, action, target)

    def _wsnt_fault(self, name: str, reason: str) -> SoapFault:
        return wsnt_fault(name, reason, int(self._utc() * 1e6))

    def _fault(self, error: RuleError) -> SoapFault | None:
        """Give the fault that tells an error; None if none is named for it."""
        reason = str(error)
        if type(error) in WSNT_FAULTS:
            return self._wsnt_fault(WSNT_FAULTS[type(error)], reason)
        if type(error) not in FAULTS:
            return None
        return sender_fault(reason, element(f"aa:{FAULTS[type(error)]}", _told_in(error)))


def _told_in(error: RuleError) -> Iterable[ET.Element]:
    """Give what stands in the fault of an error."""
    if isinstance(error, errors.InvalidActivationTimeout):
        yield element("aa:MaximumTimeout", write_duration(error.maximum_seconds))
    if isinstance(error, errors.ActionConfigurationInUse):
        used = [element("aa:ActionRule", _used_by(*rule)) for rule in error.rules]
        yield element("aa:UsedByActionRules", used)


def _used_by(rule_id: int, name: str) -> Iterable[ET.Element]:
    yield element("aa:ActionRuleID", str(rule_id))
    if name:
        yield element("aa:ActionRuleName", name)
