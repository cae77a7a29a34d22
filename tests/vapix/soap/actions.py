"""The action service over rules as they are kept, and what clients send to it."""

from xml.etree import ElementTree as ET

from axis_nvr.services.accounts import Role
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import (
    BOOLEAN,
    INTEGER,
    STRING,
    EventDeclaration,
    ItemDeclaration,
)
from axis_nvr.services.rules.errors import InvalidActionConfiguration
from axis_nvr.services.rules.model import CONCRETE, ITEM_FILTER
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.services.vault import Vault
from axis_nvr.vapix.soap.action_service import ActionService
from axis_nvr.vapix.soap.names import ACTION
from axis_nvr.vapix.soap.service import SoapDispatcher
from tests.vapix.soap.asking import NAMES, Fault, SoapTestCase

INPUT = "tns1:Device/tnsaxis:IO/VirtualInput"
RECORDING = "com.axis.action.unlimited.recording.storage"
FIXED = "com.axis.action.fixed.recording.storage"
STREAM = {
    "stream_options": "device=a&resolution=640x360",
    "pre_duration": "5000",
    "post_duration": "30000",
    "storage_id": "HDD_DISK",
}
ON = (
    'boolean(//SimpleItem[@Name="port" and @Value="1"])'
    ' and boolean(//SimpleItem[@Name="active" and @Value="1"])'
)
NEVER = "boolean(//SimpleItem[@Name='port' and @Value='77'])"


def escaped(text: str) -> str:
    """A text as .NET clients escape it."""
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(sign, name)
    return text


def configuration(token: str = RECORDING, name: str = "Record", **parameters: str) -> str:
    """``NewActionConfiguration`` with parameters."""
    found = "".join(
        f'<aa:Parameter Name="{n}" Value="{escaped(v)}"/>' for n, v in parameters.items()
    )
    return (
        f"<aa:NewActionConfiguration><aa:Name>{name}</aa:Name><aa:TemplateToken>{token}"
        f"</aa:TemplateToken><aa:Parameters>{found}</aa:Parameters></aa:NewActionConfiguration>"
    )


def event_filter(topic: str = INPUT, content: str = ON, dialect: str = CONCRETE) -> str:
    """What stands in a start event or a condition."""
    text = f'<wsnt:TopicExpression Dialect="{dialect}">{topic}</wsnt:TopicExpression>'
    if content:
        text += (
            f'<wsnt:MessageContent Dialect="{ITEM_FILTER}">{escaped(content)}</wsnt:MessageContent>'
        )
    return text


def condition(*filters: str) -> str:
    inner = "".join(f"<aa:Condition>{one}</aa:Condition>" for one in filters)
    return f"<aa:Conditions>{inner}</aa:Conditions>"


def rule(*parts: str, action: int = 1, enabled: str = "true") -> str:
    """``AddActionRule`` with what stands between ``Enabled`` and ``PrimaryAction``."""
    return (
        f"<aa:AddActionRule><aa:NewActionRule><aa:Name>Door</aa:Name><aa:Enabled>{enabled}"
        f"</aa:Enabled>{''.join(parts)}<aa:PrimaryAction>{action}</aa:PrimaryAction>"
        "</aa:NewActionRule></aa:AddActionRule>"
    )


class ActionTestCase(SoapTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.bus = EventBus(lambda: 1)
        self.bus.declare(
            EventDeclaration(
                INPUT,
                is_property=True,
                source=(ItemDeclaration("port", INTEGER, values=("1", "2")),),
                data=(ItemDeclaration("active", BOOLEAN, is_state=True),),
            )
        )
        self.bus.declare(EventDeclaration("tnsaxis:Told", data=(ItemDeclaration("what", STRING),)))
        vault = Vault(self.house.state)
        self.book = RuleBook(self.house.database, vault, self.bus, self.check)
        service = ActionService(self.book, self.house.audit, lambda: self.house.utc)
        self.serve(SoapDispatcher([service.service()]).endpoint(Role.OPERATOR))

    def check(self, token: str, values: object) -> None:
        """Refuse a duration that is no number."""
        if "x ms" in str(values):
            raise InvalidActionConfiguration("pre_duration must be milliseconds")

    def add(self, new: str = "") -> int:
        """Add an action; its id."""
        new = new or configuration(**STREAM)
        answer = self.done(f"<aa:AddActionConfiguration>{new}</aa:AddActionConfiguration>")
        return int(answer.findtext("aa:ConfigurationID", "", NAMES))

    def add_rule(self, *parts: str, action: int = 1) -> int:
        answer = self.done(rule(*parts, action=action))
        self.assertEqual(answer.tag, f"{{{ACTION}}}AddActionRuleResponse")
        return int(answer.findtext("aa:RuleID", "", NAMES))

    def listed(self, operation: str) -> list[ET.Element]:
        """What is listed by a ``Get…``, each in the one element of the answer."""
        answer = self.done(f"<aa:{operation}/>")
        self.assertEqual(answer.tag, f"{{{ACTION}}}{operation}Response")
        (inner,) = answer
        self.assertEqual(inner.tag, f"{{{ACTION}}}{operation.removeprefix('Get')}")
        return list(inner)

    def fault(self, body: str, name: str, namespace: str = ACTION) -> Fault:
        """Check that there is a sender's fault of that name."""
        fault = self.refused(body)
        self.assertEqual((fault.status, fault.code), (400, "Sender"), fault)
        self.assertEqual(fault.detail, f"{{{namespace}}}{name}", fault)
        self.assertEqual(fault.subcode.partition(":")[2], name)
        return fault

    def audited(self) -> list[tuple[str, str, str]]:
        found = self.successResultOf(self.house.audit.newest(20))
        return [(entry.account, entry.action, entry.target) for entry in found]
