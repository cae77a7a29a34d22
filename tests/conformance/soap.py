"""SOAP as a VMS writes it by hand: envelopes out of strings, answers taken apart."""

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from tests.conformance.client import Answer
from tests.conformance.harness import ConformanceTestCase

PATH = "/vapix/services"
NAMES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "aev": "http://www.axis.com/vapix/ws/event1",
    "aa": "http://www.axis.com/vapix/ws/action1",
    "aentry": "http://www.axis.com/vapix/ws/entry",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wstop": "http://docs.oasis-open.org/wsn/t-1",
    "tns1": "http://www.onvif.org/ver10/topics",
    "tnsaxis": "http://www.axis.com/2009/event/topics",
}
CONCRETE = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete"
ITEM_FILTER = "http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter"
#: A state that a test may change without a camera: virtual input 7.
INPUT = "tns1:Device/tnsaxis:IO/VirtualInput"
PORT = 7
ACTIVE = (
    f'boolean(//SimpleItem[@Name="port" and @Value="{PORT}"])'
    ' and boolean(//SimpleItem[@Name="active" and @Value="1"])'
)
#: An action that needs no camera: TCP, to a port at which nobody listens.
NOTIFY = "com.axis.action.fixed.notification.tcp"
TCP = {"host": "127.0.0.1", "port": "9", "qos": "", "message": "x"}


def envelope(body: str) -> bytes:
    """Put an operation into an envelope of SOAP 1.2."""
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMES.items())
    text = f"<s:Envelope{declared}><s:Body>{body}</s:Body></s:Envelope>"
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode()


def quoted(text: str) -> str:
    """Escape a text for an element or an attribute."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(sign, entity)
    return text


def new_configuration(
    kind: str = "Action", token: str = NOTIFY, name: str = "Call", **parameters: str
) -> str:
    """Write an action configuration or a recipient; by default one that notifies by TCP."""
    given = "".join(
        f'<aa:Parameter Name="{n}" Value="{quoted(v)}"/>' for n, v in (parameters or TCP).items()
    )
    return (
        f"<aa:Add{kind}Configuration><aa:New{kind}Configuration><aa:Name>{quoted(name)}</aa:Name>"
        f"<aa:TemplateToken>{token}</aa:TemplateToken><aa:Parameters>{given}</aa:Parameters>"
        f"</aa:New{kind}Configuration></aa:Add{kind}Configuration>"
    )


def event_filter(topic: str = INPUT, content: str = ACTIVE, dialect: str = CONCRETE) -> str:
    """Write a filter."""
    text = f'<wsnt:TopicExpression Dialect="{dialect}">{topic}</wsnt:TopicExpression>'
    if not content:
        return text
    told = f'<wsnt:MessageContent Dialect="{ITEM_FILTER}">{quoted(content)}</wsnt:MessageContent>'
    return text + told


def conditions(*filters: str) -> str:
    """Write conditions."""
    inner = "".join(f"<aa:Condition>{one}</aa:Condition>" for one in filters)
    return f"<aa:Conditions>{inner}</aa:Conditions>"


def new_rule(action: int | str, *parts: str, name: str = "Rule", enabled: str = "true") -> str:
    """Write a rule; `parts` stand between ``Enabled`` and ``PrimaryAction``."""
    return (
        f"<aa:AddActionRule><aa:NewActionRule><aa:Name>{quoted(name)}</aa:Name>"
        f"<aa:Enabled>{enabled}</aa:Enabled>{''.join(parts)}"
        f"<aa:PrimaryAction>{action}</aa:PrimaryAction></aa:NewActionRule></aa:AddActionRule>"
    )


def removal(operation: str, name: str, value: object) -> str:
    """Write an operation that removes something."""
    return f"<aa:{operation}><aa:{name}>{value}</aa:{name}></aa:{operation}>"


@dataclass(frozen=True)
class Fault:
    """A fault.

    :param detail: the qualified name of the element in its detail; empty for none.
    :param children: what stands in that.
    """

    status: int
    code: str
    reason: str
    detail: str
    children: list[ET.Element]


class SoapTestCase(ConformanceTestCase):
    """Asks the services as an operator."""

    def send(self, body: bytes, role: str = "operator", **more: Any) -> Answer:
        """Send an envelope, or what should be one."""
        kind = {"Content-Type": "application/soap+xml; charset=utf-8"}
        return self.ask(PATH, role, method="POST", body=body, headers=kind, **more)

    def done(self, body: str) -> ET.Element:
        """Give the answer to an operation that is done."""
        return self.content(self.send(envelope(body)))

    def content(self, answer: Answer) -> ET.Element:
        """Give what stands in the body of an answer."""
        self.assertEqual(answer.status, 200, answer.text)
        kind = answer.header("Content-Type").partition(";")[0]
        self.assertEqual(kind, "application/soap+xml")
        root = answer.xml
        self.assertEqual(root.tag, f"{{{NAMES['s']}}}Envelope")
        (body,) = root.findall("s:Body", NAMES)
        (content,) = body
        return content

    def refused(self, body: str | bytes) -> Fault:
        """Give the fault of an operation that is refused."""
        answer = self.send(body if isinstance(body, bytes) else envelope(body))
        (content,) = answer.xml.findall("s:Body/*", NAMES)
        self.assertEqual(content.tag, f"{{{NAMES['s']}}}Fault", answer.text)
        detail = content.find("s:Detail/*", NAMES)
        return Fault(
            answer.status,
            content.findtext("s:Code/s:Value", "", NAMES).rpartition(":")[2],
            content.findtext("s:Reason/s:Text", "", NAMES),
            "" if detail is None else detail.tag,
            [] if detail is None else list(detail),
        )

    def assert_fault(self, body: str, name: str, prefix: str = "aa") -> Fault:
        """Check that an operation is refused as the sender's fault of that name."""
        fault = self.refused(body)
        self.assertEqual((fault.status, fault.code), (400, "Sender"), f"{body}: {fault}")
        self.assertEqual(fault.detail, f"{{{NAMES[prefix]}}}{name}", f"{body}: {fault}")
        self.assertTrue(fault.reason)
        return fault

    def assert_soap_roles(self, body: str) -> None:
        """Check that operators and administrators are let in, viewers and nobody else."""
        for role, status in (("viewer", 403), ("", 401), ("admin", 200), ("operator", 200)):
            if not role or self.device.accounts[role][0]:
                self.assertEqual(self.send(envelope(body), role).status, status, role or "nobody")

    def text(self, node: ET.Element, path: str) -> str:
        """Give a text that must be there."""
        found = node.findtext(path, None, NAMES)
        self.assertIsNotNone(found, f"{path} in {ET.tostring(node)!r}")
        return found or ""

    def add(self, body: str, name: str, removed: str) -> int:
        """Add something that is removed after the test; give its id.

        :param name: of the element that has the id, in the answer and where it is removed.
        :param removed: the operation that removes it.
        """
        number = int(self.text(self.done(body), f"aa:{name}"))
        self.addCleanup(self.send, envelope(removal(removed, name, number)))
        return number

    def add_action(self, body: str = "") -> int:
        """Add an action configuration."""
        return self.add(body or new_configuration(), "ConfigurationID", "RemoveActionConfiguration")

    def add_rule(self, body: str) -> int:
        """Add a rule."""
        return self.add(body, "RuleID", "RemoveActionRule")

    def listed(self, operation: str) -> list[ET.Element]:
        """Give what a ``Get…`` of the action service lists."""
        answer = self.done(f"<aa:{operation}/>")
        self.assertEqual(answer.tag, f"{{{NAMES['aa']}}}{operation}Response")
        (inner,) = answer
        self.assertEqual(inner.tag, f"{{{NAMES['aa']}}}{operation.removeprefix('Get')}")
        return list(inner)

    def listed_one(self, operation: str, name: str, number: int) -> ET.Element:
        """Give the one that has an id."""
        (one,) = [o for o in self.listed(operation) if o.findtext(name, "", NAMES) == str(number)]
        return one


def local(node: ET.Element) -> list[str]:
    """Give the names of an element's children, without namespaces."""
    return [child.tag.partition("}")[2] for child in node]
