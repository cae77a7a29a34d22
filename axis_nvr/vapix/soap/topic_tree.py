"""The tree of topics that tells which events there are.

Each level of a topic is an element; one that is an event holds what its messages say::

    <tns1:Device aev:NiceName="Device">
      <tnsaxis:IO>
        <Port wstop:topic="true" aev:NiceName="Input port">
          <aev:MessageInstance aev:isProperty="true">
            <aev:SourceInstance>
              <aev:SimpleItemInstance aev:NiceName="Port" Type="xsd:int" Name="port">
                <aev:Value>0</aev:Value>
              </aev:SimpleItemInstance>
            </aev:SourceInstance>
            <aev:DataInstance>
              <aev:SimpleItemInstance Type="xsd:boolean" Name="state" isPropertyState="true"/>

As in topics, the first level has a prefix, and a lower one only where the namespace changes: the
elements below it are in no namespace.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from axis_nvr.services.event_declaration import EventDeclaration, ItemDeclaration
from axis_nvr.vapix.xml_cgi import element


def topic_set(declarations: Iterable[EventDeclaration]) -> ET.Element:
    """Draw the tree.

    :param declarations: with topics as `axis_nvr.wire.topics.normalized` writes them.
    """
    root = element("wstop:TopicSet")
    nodes: dict[str, ET.Element] = {"": root}
    for declaration in declarations:
        _complete(_node(nodes, declaration.topic), declaration)
        for topic, nice_name in declaration.level_names.items():
            if topic in nodes and nice_name:
                nodes[topic].attrib.setdefault("aev:NiceName", nice_name)
    return root


def _node(nodes: dict[str, ET.Element], topic: str) -> ET.Element:
    """Find the element of a topic, or add it and those above."""
    found = nodes.get(topic)
    if found is None:
        above, _, level = topic.rpartition("/")
        found = nodes[topic] = ET.SubElement(_node(nodes, above), level)
    return found


def _complete(node: ET.Element, declaration: EventDeclaration) -> None:
    node.set("wstop:topic", "true")
    if declaration.is_application_data:
        node.set("isApplicationData", "true")
    if declaration.nice_name:
        node.set("aev:NiceName", declaration.nice_name)
    message = element("aev:MessageInstance")
    if declaration.is_property:
        message.set("aev:isProperty", "true")
    for name, items in (
        ("aev:SourceInstance", declaration.source),
        ("aev:DataInstance", declaration.data),
    ):
        if items:
            message.append(element(name, map(_item, items)))
    node.insert(0, message)


def _item(item: ItemDeclaration) -> ET.Element:
    attributes = {"Type": item.type, "Name": item.name}
    if item.nice_name:
        attributes = {"aev:NiceName": item.nice_name, **attributes}
    if item.is_state:
        attributes["isPropertyState"] = "true"
    names = item.value_names
    return element(
        "aev:SimpleItemInstance",
        [_value(value, names.get(value, "")) for value in item.values],
        **attributes,
    )


def _value(value: str, nice_name: str) -> ET.Element:
    named = {"aev:NiceName": nice_name} if nice_name else {}
    return element("aev:Value", value, **named)
