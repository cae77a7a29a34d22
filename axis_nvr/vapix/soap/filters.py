"""Filters of rules: ``wsnt:FilterType``, read and written.

::

    <wsnt:TopicExpression Dialect="…">tns1:Device/tnsaxis:IO/Port</wsnt:TopicExpression>
    <wsnt:MessageContent Dialect="…">boolean(//SimpleItem[@Name="port" and @Value="1"])</…>

The prefixes of a topic are those that the client has declared where it stands, or ours. What cannot
be read has a fault of WS-Notification, which tells when it happened.

Source: WS-BaseNotification 1.3 §4.2; ONVIF Core Specification §9.6.
"""

import re
from collections.abc import Callable, Mapping
from xml.etree import ElementTree as ET

from axis_nvr.services.rules.model import CONCRETE, ITEM_FILTER, FilterText
from axis_nvr.vapix.soap.document import Node
from axis_nvr.vapix.soap.faults import SoapFault, sender_fault
from axis_nvr.vapix.soap.fields import Fields, text_of
from axis_nvr.vapix.soap.names import WSNT
from axis_nvr.vapix.xml_cgi import element
from axis_nvr.wire.notification import write_time
from axis_nvr.wire.topics import NAMESPACES, PREFIXES

#: Prefixes that need not be declared.
WELL_KNOWN = {*PREFIXES, *PREFIXES.values()}
_PREFIX = re.compile(r"([^\W\d][\w.-]*):")

#: Makes a fault of WS-Notification of its name and a reason.
MakeFault = Callable[[str, str], SoapFault]


def wsnt_fault(name: str, reason: str, utc_us: int) -> SoapFault:
    """Make a fault of WS-Notification.

    :param name: of the element, such as ``InvalidFilterFault``.
    :param utc_us: now, in microseconds since 1970.
    """
    time = element("wsnt:Timestamp", write_time(utc_us))
    return sender_fault(reason, element(f"wsnt:{name}", [time]))


def read_filter(node: Node, fault: MakeFault) -> FilterText:
    """Read a filter.

    :raises SoapFault: it is none.
    """
    topics = [child for child in node.children if child.qualified == (WSNT, "TopicExpression")]
    contents = [child for child in node.children if child.qualified == (WSNT, "MessageContent")]
    if not node.children or len(topics) + len(contents) != len(node.children) or len(topics) > 1:
        words = f"{node.name}: a TopicExpression and MessageContents were expected"
        raise fault("InvalidFilterFault", words)
    for content in contents:
        if content.attributes.get("Dialect", ITEM_FILTER).strip() != ITEM_FILTER:
            words = "the dialect of a message content must be that of item filters"
            raise fault("InvalidMessageContentExpressionFault", words)
    texts = tuple(map(text_of, contents))
    if not topics:
        return FilterText("", CONCRETE, texts)
    dialect = topics[0].attributes.get("Dialect", CONCRETE).strip()
    return FilterText(_topic(topics[0], fault), dialect, texts)


def _topic(node: Node, fault: MakeFault) -> str:
    """Give a topic expression with our prefixes."""
    text = text_of(node)
    for prefix in set(_PREFIX.findall(text)):
        if _ours(prefix, node.prefixes) is None:
            words = f"the prefix {prefix} of a topic is not declared, or not for topics"
            raise fault("InvalidTopicExpressionFault", words)
    return _PREFIX.sub(lambda match: f"{_ours(match[1], node.prefixes)}:", text)


def _ours(prefix: str, declared: Mapping[str, str]) -> str | None:
    if prefix in declared:
        return NAMESPACES.get(declared[prefix])
    return prefix if prefix in WELL_KNOWN else None


def filter_elements(text: FilterText) -> list[ET.Element]:
    """Write a filter; its topic is told in the concrete dialect, as devices do."""
    contents = [
        element("wsnt:MessageContent", content, Dialect=ITEM_FILTER) for content in text.contents
    ]
    if not text.topic:
        return contents
    return [element("wsnt:TopicExpression", text.topic, Dialect=CONCRETE), *contents]


def read_conditions(node: Node | None, fault: MakeFault) -> tuple[FilterText, ...]:
    """Read the conditions of a rule; none if there is no element of them."""
    if node is None:
        return ()
    fields = Fields(node, often=("Condition",))
    fields.need("Condition")
    return tuple(read_filter(condition, fault) for condition in fields.all("Condition"))
