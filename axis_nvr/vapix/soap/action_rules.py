"""Rules as elements: ``NewActionRule`` is read, ``ActionRule`` is written."""

from xml.etree import ElementTree as ET

from axis_nvr.errors import WireError
from axis_nvr.services.rules.model import ActionRule
from axis_nvr.vapix.soap.document import Node
from axis_nvr.vapix.soap.durations import parse_duration, write_duration
from axis_nvr.vapix.soap.faults import sender_fault
from axis_nvr.vapix.soap.fields import Fields
from axis_nvr.vapix.soap.filters import MakeFault, filter_elements, read_conditions, read_filter
from axis_nvr.vapix.xml_cgi import element

_FIELDS = (
    "Name",
    "Enabled",
    "StartEvent",
    "Conditions",
    "ActivationTimeout",
    "PrimaryAction",
    "FailoverAction",
)


def read_rule(node: Node, fault: MakeFault) -> ActionRule:
    """Read a new rule.

    :param fault: makes the faults of filters.
    :returns: it, with 0 for its id.
    :raises SoapFault: it is none.
    """
    fields = Fields(node, _FIELDS)
    start = fields.find("StartEvent")
    return ActionRule(
        id=0,
        name=fields.text("Name", ""),
        enabled=fields.boolean("Enabled"),
        start_event=None if start is None else read_filter(start, fault),
        conditions=read_conditions(fields.find("Conditions"), fault),
        activation_timeout_seconds=_timeout(fields),
        primary_action=fields.integer("PrimaryAction"),
        failover_action=fields.integer("FailoverAction") if fields.find("FailoverAction") else None,
    )


def _timeout(fields: Fields) -> float | None:
    text = fields.text("ActivationTimeout", "")
    if not text:
        return None
    try:
        return parse_duration(text)
    except WireError as error:
        raise sender_fault(f"ActivationTimeout: {error}") from None


def rule_element(rule: ActionRule) -> ET.Element:
    """Write a rule; its children in the order of the schema."""
    found = [element("aa:RuleID", str(rule.id))]
    if rule.name:
        found.append(element("aa:Name", rule.name))
    found.append(element("aa:Enabled", "true" if rule.enabled else "false"))
    if rule.start_event is not None:
        found.append(element("aa:StartEvent", filter_elements(rule.start_event)))
    if rule.conditions:
        conditions = [element("aa:Condition", filter_elements(c)) for c in rule.conditions]
        found.append(element("aa:Conditions", conditions))
    if rule.activation_timeout_seconds is not None:
        seconds = rule.activation_timeout_seconds
        found.append(element("aa:ActivationTimeout", write_duration(seconds)))
    found.append(element("aa:PrimaryAction", str(rule.primary_action)))
    if rule.failover_action is not None:
        found.append(element("aa:FailoverAction", str(rule.failover_action)))
    return element("aa:ActionRule", found)
