"""The operations on configurations, the same for actions and for recipients.

::

    Get…Templates              what one may be made of
    Add…Configuration          make one
    Get…Configurations         list them, without what is secret
    Remove…Configuration       remove one
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from axis_nvr.services.audit import Audit
from axis_nvr.services.rules.configurations import Configurations
from axis_nvr.services.rules.model import Configuration, Template
from axis_nvr.vapix.call import Call
from axis_nvr.vapix.soap.document import Node
from axis_nvr.vapix.soap.faults import sender_fault
from axis_nvr.vapix.soap.fields import Fields, nothing
from axis_nvr.vapix.xml_cgi import element


class ConfigurationOperations:
    """Serves the configurations of one kind.

    :param noun: what stands in the names of its operations and elements, such as ``Action``.
    """

    def __init__(self, noun: str, configurations: Configurations, audit: Audit) -> None:
        self._noun = noun
        self._configurations = configurations
        self._audit = audit

    async def get_templates(self, call: Call, body: Node) -> ET.Element:
        """List what one may be made of."""
        nothing(body)
        templates = self._configurations.kind.templates
        found = [element(f"aa:{self._noun}Template", _template(each)) for each in templates]
        listed = element(f"aa:{self._noun}Templates", found)
        return element(f"aa:Get{self._noun}TemplatesResponse", [listed])

    async def add(self, call: Call, body: Node) -> ET.Element:
        """Make one of a template."""
        new = f"New{self._noun}Configuration"
        made = await self._configurations.add(*_given(Fields(body, (new,)).need(new)))
        self._note(call, "create", made)
        number = element("aa:ConfigurationID", str(made))
        return element(f"aa:Add{self._noun}ConfigurationResponse", [number])

    async def get(self, call: Call, body: Node) -> ET.Element:
        """List them."""
        nothing(body)
        name = f"aa:{self._noun}Configuration"
        found = [element(name, _configuration(each.shown)) for each in self._configurations]
        return element(f"aa:Get{self._noun}ConfigurationsResponse", [element(f"{name}s", found)])

    async def remove(self, call: Call, body: Node) -> ET.Element:
        """Remove one that no rule runs."""
        number = Fields(body, ("ConfigurationID",)).integer("ConfigurationID")
        await self._configurations.remove(number)
        self._note(call, "delete", number)
        return element(f"aa:Remove{self._noun}ConfigurationResponse")

    def _note(self, call: Call, action: str, number: int) -> None:
        target = f"{self._configurations.kind.configured} {number}"
        self._audit.note(call.account, call.address, action, target)


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
