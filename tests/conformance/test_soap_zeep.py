"""The descriptions of the services, and a client that knows nothing but them: zeep.

Every operation is called as the description has it, and every kind of fault comes back as one.
"""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from requests import Session
from requests.auth import HTTPDigestAuth
from zeep import Client, Transport
from zeep.exceptions import Fault

from tests.conformance.harness import ConformanceTestCase, device
from tests.conformance.soap import ACTIVE, CONCRETE, INPUT, ITEM_FILTER, NOTIFY, PORT, TCP

PREFIX = "{http://www.axis.com/vapix/ws/action1}"
WSNT = "{http://docs.oasis-open.org/wsn/b-2}"
AEV = "{http://www.axis.com/vapix/ws/event1}"
CONDITION = {
    "TopicExpression": {"_value_1": INPUT, "Dialect": CONCRETE},
    "MessageContent": [{"_value_1": ACTIVE, "Dialect": ITEM_FILTER}],
}


@cache
def client(path: str) -> Client:
    """Make a client of the description at a path."""
    session = Session()
    session.auth = HTTPDigestAuth(*device().accounts["operator"])
    return Client(device().http + path, transport=Transport(session=session, timeout=20))


class ZeepTestCase(ConformanceTestCase):
    def setUp(self) -> None:
        self.ours()
        self.calls: set[str] = set()

    def service(self, name: str) -> Any:
        """The operations of a service."""
        return client(f"/wsdl/vapix/{name}Service.wsdl").service

    def fault(self, detail: str) -> "ExpectedFault":
        """Expect the sender's fault of that name."""
        return ExpectedFault(self, detail)


class ExpectedFault(AbstractContextManager["ExpectedFault"]):
    """Catches a fault.

    :ivar element: what stands in its detail.
    """

    def __init__(self, case: ZeepTestCase, detail: str) -> None:
        self._case = case
        self._detail = detail
        self.element: Any = None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self._case.assertIsInstance(error, Fault, f"{self._detail} was expected")
        self._case.assertTrue(error.message)
        self._case.assertEqual(error.code, "SOAP-ENV:Sender")
        (self.element,) = error.detail
        self._case.assertEqual(self.element.tag, self._detail)
        return True


class EntryTests(ZeepTestCase):
    def test_entry_service(self) -> None:
        """Both operations; the address of each service is where we ask."""
        entry = self.service("Entry")
        found = entry.GetServices(IncludeCapability=True)
        self.assertEqual({one.XAddr for one in found}, {f"{self.device.http}/vapix/services"})
        self.assertEqual([(one.Version.Major, one.Version.Minor) for one in found], [(1, 1)] * 3)
        entry.GetServiceCapabilities()

    def test_all_in_one(self) -> None:
        """The description at the services themselves has all three."""
        whole = client("/vapix/services?wsdl")
        for port, call in (
            ("Entry", lambda service: service.GetServices(IncludeCapability=False)),
            ("Event", lambda service: service.GetScheduledEvents()),
            ("Action", lambda service: service.GetActionTemplates()),
        ):
            self.assertTrue(call(whole.bind("VapixServices", port)), port)


class EventTests(ZeepTestCase):
    def test_event_instances(self) -> None:
        """The tree comes as elements."""
        tree = self.service("Event").GetEventInstances()
        names = [element.tag.partition("}")[2] for element in tree]
        self.assertLessEqual({"Device", "Storage", "UserAlarm"}, set(names))

    def test_schedules(self) -> None:
        """Add, get with a filter, remove, and every fault of them."""
        event, event_id = self.service("Event"), self.fresh_id()
        text = "DTSTART:20260105T080000 DTEND:20260105T170000 RRULE:FREQ=DAILY"

        def new(event_id: str | None, text: str) -> dict[str, Any]:
            given = {"Name": "Day", "Schedule": {"ICalendar": {"_value_1": text}}}
            return given if event_id is None else {"EventID": event_id, **given}

        added = event.AddScheduledEvent(NewScheduledEvent=new(event_id, text))
        self.assertEqual(added, event_id)
        made_up = event.AddScheduledEvent(NewScheduledEvent=new(None, text))
        for kind, is_there in ((None, True), ("Interval", True), ("Pulse", False)):
            wanted = {"ScheduleFilter": {"ScheduleType": kind}} if kind else {}
            found = event.GetScheduledEvents(**wanted) or ()
            ids = {one.EventID: one for one in found}
            self.assertEqual(event_id in ids, is_there, kind)
            if is_there:
                self.assertEqual(ids[event_id].Schedule.ICalendar._value_1, text)
        with self.fault(f"{AEV}ScheduledEventAlreadyExistsFault"):
            event.AddScheduledEvent(NewScheduledEvent=new(event_id, text))
        with self.fault(f"{AEV}InvalidScheduleFault"):
            event.AddScheduledEvent(NewScheduledEvent=new(None, "DTSTART:never"))
        with self.fault(f"{AEV}InvalidScheduledEventIDFault"):
            event.AddScheduledEvent(NewScheduledEvent=new("a b", text))
        for one in (event_id, made_up):
            event.RemoveScheduledEvent(EventID=one)
        with self.fault(f"{AEV}ScheduledEventNotFoundFault"):
            event.RemoveScheduledEvent(EventID=event_id)

    def test_virtual_inputs(self) -> None:
        """Whether the state has changed comes as a boolean."""
        event = self.service("Event")
        event.ChangeVirtualInputState(port=PORT, active=False)
        told = [event.ChangeVirtualInputState(PORT, state) for state in (True, True, False)]
        self.assertEqual(told, [True, False, True])


class ActionTests(ZeepTestCase):
    def new(self, token: str = NOTIFY, **parameters: str) -> dict[str, Any]:
        given = [{"Name": name, "Value": value} for name, value in (parameters or TCP).items()]
        return {"Name": "Zeep", "TemplateToken": token, "Parameters": {"Parameter": given}}

    def test_templates(self) -> None:
        """Tokens and the names of parameters."""
        action = self.service("Action")
        for templates in (action.GetActionTemplates(), action.GetRecipientTemplates()):
            for one in templates:
                self.assertTrue(one.TemplateToken.startswith("com.axis."))
                self.assertEqual({p.Type for p in one.Parameters.Parameter}, {"string"})

    def test_recipients(self) -> None:
        """Add, get, remove, and every fault of them."""
        action, token = self.service("Action"), "com.axis.recipient.tcp"
        given = {"host": "127.0.0.1", "port": "9", "qos": ""}
        number = action.AddRecipientConfiguration(self.new(token, **given))
        found = {one.ConfigurationID: one for one in action.GetRecipientConfigurations()}
        self.assertEqual(found[number].TemplateToken, token)
        action.RemoveRecipientConfiguration(number)
        with self.fault(f"{PREFIX}RecipientConfigurationNotFoundFault"):
            action.RemoveRecipientConfiguration(number)
        with self.fault(f"{PREFIX}RecipientTemplateNotFoundFault"):
            action.AddRecipientConfiguration(self.new("com.axis.none"))
        with self.fault(f"{PREFIX}ParametersMissmatchFault"):
            action.AddRecipientConfiguration(self.new(token, host="127.0.0.1"))

    def test_configurations(self) -> None:
        """Add, get, remove, and every fault of them but that of an action in use."""
        action = self.service("Action")
        number = action.AddActionConfiguration(self.new())
        found = {one.ConfigurationID: one for one in action.GetActionConfigurations()}
        told = {p.Name: p.Value for p in found[number].Parameters.Parameter}
        self.assertLessEqual(TCP.items(), told.items())
        action.RemoveActionConfiguration(number)
        with self.fault(f"{PREFIX}ActionConfigurationNotFoundFault"):
            action.RemoveActionConfiguration(number)
        with self.fault(f"{PREFIX}ActionTemplateNotFoundFault"):
            action.AddActionConfiguration(self.new("com.axis.none"))
        with self.fault(f"{PREFIX}ParametersMissmatchFault"):
            action.AddActionConfiguration(self.new(host="127.0.0.1"))
        with self.fault(f"{PREFIX}InvalidActionConfigurationFault"):
            action.AddActionConfiguration(self.new(**{**TCP, "port": "none"}))

    def test_rules(self) -> None:
        """Add, get, remove, and every fault of them."""
        action = self.service("Action")
        number = action.AddActionConfiguration(self.new())
        self.addCleanup(action.RemoveActionConfiguration, number)
        whole = {
            "Name": "Zeep",
            "Enabled": True,
            "StartEvent": {"TopicExpression": {"_value_1": INPUT, "Dialect": CONCRETE}},
            "Conditions": {"Condition": [CONDITION]},
            "ActivationTimeout": "PT5S",
            "PrimaryAction": number,
        }
        rule = action.AddActionRule(whole)
        found = {one.RuleID: one for one in action.GetActionRules()}[rule]
        self.assertEqual((found.Name, found.Enabled, found.PrimaryAction), ("Zeep", True, number))
        self.assertEqual(found.ActivationTimeout.total_seconds(), 5)
        (condition,) = found.Conditions.Condition
        self.assertEqual(condition.TopicExpression._value_1, INPUT)
        self.assertEqual(condition.TopicExpression.Dialect, CONCRETE)
        self.assertEqual([c._value_1 for c in condition.MessageContent], [ACTIVE])
        with self.fault(f"{PREFIX}ActionConfigurationIsInUseFault") as in_use:
            action.RemoveActionConfiguration(number)
        self.assertEqual(in_use.element.findtext(f".//{PREFIX}ActionRuleID"), str(rule))
        action.RemoveActionRule(rule)
        with self.fault(f"{PREFIX}ActionRuleNotFoundFault"):
            action.RemoveActionRule(rule)
        self.refuse(whole)

    def refuse(self, whole: dict[str, Any]) -> None:
        """Try a rule with one mistake after the other."""
        action = self.service("Action")

        def with_condition(
            topic: str = INPUT, dialect: str = CONCRETE, content: str = ACTIVE
        ) -> Any:
            condition = {
                "TopicExpression": {"_value_1": topic, "Dialect": dialect},
                "MessageContent": [{"_value_1": content, "Dialect": ITEM_FILTER}],
            }
            return {"Conditions": {"Condition": [condition]}}

        nothing = {"StartEvent": None, "Conditions": None}
        for change, detail in (
            (with_condition("tns1:None"), f"{PREFIX}InvalidConditionFilterFault"),
            ({"PrimaryAction": 999_999}, f"{PREFIX}ActionConfigurationNotFoundFault"),
            (nothing, f"{PREFIX}InsufficientActivationRuleFault"),
            ({"ActivationTimeout": "P300D"}, f"{PREFIX}InvalidActivationTimeoutFault"),
            ({"StartEvent": {}}, f"{WSNT}InvalidFilterFault"),
            (with_condition(dialect="urn:x"), f"{WSNT}TopicExpressionDialectUnknownFault"),
            (with_condition("no topic!"), f"{WSNT}InvalidTopicExpressionFault"),
            (with_condition(content="("), f"{WSNT}InvalidMessageContentExpressionFault"),
        ):
            with self.fault(detail):
                action.AddActionRule({**whole, **change})
