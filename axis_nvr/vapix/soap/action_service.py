"""The action service: templates, configurations, recipients, rules.

Nothing is changed in place: who wants a rule or a configuration otherwise removes it and adds it.
"""

from collections.abc import Callable, Iterable, Mapping
from xml.etree import ElementTree as ET

from axis_nvr.services.audit import Audit
from axis_nvr.services.rules import errors
from axis_nvr.services.rules.errors import RuleError
from axis_nvr.services.rules.model import Configuration, Template
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.vapix.call import Call
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
        operations: dict[str, Operation] = {
            "GetActionTemplates": self.get_action_templates,
            "GetRecipientTemplates": self.get_recipient_templates,
            "AddActionConfiguration": self.add_action_configuration,
            "GetActionConfigurations": self.get_action_configurations,
            "RemoveActionConfiguration": self.remove_action_configuration,
            "AddRecipientConfiguration": self.add_recipient_configuration,
            "GetRecipientConfigurations": self.get_recipient_configurations,
            "RemoveRecipientConfiguration": self.remove_recipient_configuration,
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

    async def get_action_templates(self, call: Call, body: Node) -> ET.Element:
        """List what an action may be made of."""
        nothing(body)
        found = [
            element("aa:ActionTemplate", _template(template))
            for template in self._book.action_templates
        ]
        return _listed("GetActionTemplatesResponse", "ActionTemplates", found)

    async def get_recipient_templates(self, call: Call, body: Node) -> ET.Element:
        """List what a recipient may be made of."""
        nothing(body)
        found = [
            element("aa:RecipientTemplate", _template(template))
            for template in self._book.recipient_templates
        ]
        return _listed("GetRecipientTemplatesResponse", "RecipientTemplates", found)

    async def add_action_configuration(self, call: Call, body: Node) -> ET.Element:
        """Make an action of a template."""
        given = _given(Fields(body, ("NewActionConfiguration",)).need("NewActionConfiguration"))
        made = await self._book.add_configuration(*given)
        self._note(call, "create", f"action configuration {made}")
        return _made("AddActionConfigurationResponse", "ConfigurationID", made)

    async def get_action_configurations(self, call: Call, body: Node) -> ET.Element:
        """List the actions."""
        nothing(body)
        found = [
            element("aa:ActionConfiguration", _configuration(configuration))
            for configuration in self._book.configurations
        ]
        return _listed("GetActionConfigurationsResponse", "ActionConfigurations", found)

    async def remove_action_configuration(self, call: Call, body: Node) -> ET.Element:
        """Remove an action that no rule runs."""
        configuration_id = Fields(body, ("ConfigurationID",)).integer("ConfigurationID")
        await self._book.remove_configuration(configuration_id)
        self._note(call, "delete", f"action configuration {configuration_id}")
        return element("aa:RemoveActionConfigurationResponse")

    async def add_recipient_configuration(self, call: Call, body: Node) -> ET.Element:
        """Make a recipient of a template."""
        fields = Fields(body, ("NewRecipientConfiguration",))
        made = await self._book.add_recipient(*_given(fields.need("NewRecipientConfiguration")))
        self._note(call, "create", f"recipient {made}")
        return _made("AddRecipientConfigurationResponse", "ConfigurationID", made)

    async def get_recipient_configurations(self, call: Call, body: Node) -> ET.Element:
        """List the recipients."""
        nothing(body)
        found = [
            element("aa:RecipientConfiguration", _configuration(recipient))
            for recipient in self._book.recipients
        ]
        return _listed("GetRecipientConfigurationsResponse", "RecipientConfigurations", found)

    async def remove_recipient_configuration(self, call: Call, body: Node) -> ET.Element:
        """Remove a recipient."""
        recipient_id = Fields(body, ("ConfigurationID",)).integer("ConfigurationID")
        await self._book.remove_recipient(recipient_id)
        self._note(call, "delete", f"recipient {recipient_id}")
        return element("aa:RemoveRecipientConfigurationResponse")

    async def add_action_rule(self, call: Call, body: Node) -> ET.Element:
        """Make a rule."""
        node = Fields(body, ("NewActionRule",)).need("NewActionRule")
        made = await self._book.add_rule(read_rule(node, self._wsnt_fault))
        self._note(call, "create", f"rule {made}")
        return _made("AddActionRuleResponse", "RuleID", made)

    async def get_action_rules(self, call: Call, body: Node) -> ET.Element:
        """List the rules."""
        nothing(body)
        found = [rule_element(rule) for rule in self._book.rules]
        return _listed("GetActionRulesResponse", "ActionRules", found)

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


def _listed(response: str, name: str, found: Iterable[ET.Element]) -> ET.Element:
    return element(f"aa:{response}", [element(f"aa:{name}", found)])


def _made(response: str, name: str, number: int) -> ET.Element:
    return element(f"aa:{response}", [element(f"aa:{name}", str(number))])


def _template(template: Template) -> Iterable[ET.Element]:
    yield element("aa:TemplateToken", template.token)
    if template.recipient:
        yield element("aa:RecipientTemplate", template.recipient)
    if template.parameters:
        names = template.parameters
        found = [element("aa:Parameter", Type="string", Name=name) for name in names]
        yield element("aa:Parameters", found)


def _configuration(configuration: Configuration) -> Iterable[ET.Element]:
    yield element("aa:ConfigurationID", str(configuration.id))
    if configuration.name:
        yield element("aa:Name", configuration.name)
    yield element("aa:TemplateToken", configuration.template)
    if configuration.parameters:
        pairs = configuration.parameters
        found = [element("aa:Parameter", Name=name, Value=value) for name, value in pairs]
        yield element("aa:Parameters", found)


def _given(node: Node) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Read a new configuration: name, token of the template, parameters."""
    fields = Fields(node, ("Name", "TemplateToken", "Parameters"))
    name, token = fields.text("Name", ""), fields.text("TemplateToken")
    parameters = fields.find("Parameters")
    found = [] if parameters is None else Fields(parameters, often=("Parameter",)).all("Parameter")
    return name, token, tuple(map(_parameter, found))


def _parameter(node: Node) -> tuple[str, str]:
    nothing(node)
    try:
        return node.attributes["Name"], node.attributes["Value"]
    except KeyError as missing:
        raise sender_fault(f"a Parameter without {missing.args[0]}") from None
