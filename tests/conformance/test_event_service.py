"""The event service: the tree of events, schedules, virtual inputs; and the entry service."""

import re
from xml.etree import ElementTree as ET

from tests.conformance.soap import NAMES, PATH, PORT, SoapTestCase, envelope, local

AEV, WSTOP = (f"{{{NAMES[prefix]}}}" for prefix in ("aev", "wstop"))
#: Events that a recorder has whatever is connected: topic, state or not, source items, data items.
EVENTS = {
    "tns1:Device/tnsaxis:Status/SystemReady": (True, [], ["ready"]),
    "tns1:Device/tnsaxis:IO/VirtualInput": (True, ["port"], ["active"]),
    "tns1:UserAlarm/tnsaxis:Recurring/Interval": (True, ["id"], ["active"]),
    "tns1:UserAlarm/tnsaxis:Recurring/Pulse": (False, ["id"], []),
    "tnsaxis:Storage/Recording": (True, [], ["recording"]),
    "tnsaxis:Storage/Disruption": (True, ["disk_id"], ["disruption"]),
    "tns1:Device/tnsaxis:SystemMessage/ActionFailed": (False, [], ["description"]),
}
FACTORY = {
    f"com.axis.schedules.{name}" for name in ("weekdays", "office_hours", "after_hours", "weekends")
}
INTERVAL = "DTSTART:20260105T080000 DTEND:20260105T170000 RRULE:FREQ=WEEKLY;BYDAY=MO,TU"
PULSE = "DTSTART:20260105T000000 RRULE:FREQ=HOURLY;INTERVAL=2"


def topics(node: ET.Element, above: str = "") -> dict[str, ET.Element]:
    """Give the ``MessageInstance`` of each event in a tree, by its topic."""
    found = {}
    for child in node:
        namespace, _, name = child.tag.rpartition("}")
        if namespace == "{" + NAMES["aev"]:
            continue
        prefix = {NAMES["tns1"]: "tns1:", NAMES["tnsaxis"]: "tnsaxis:"}.get(namespace[1:], "")
        topic = f"{above}/{prefix}{name}".lstrip("/")
        if child.get(f"{WSTOP}topic") == "true":
            (found[topic],) = child.findall("aev:MessageInstance", NAMES)
        found |= topics(child, topic)
    return found


class EventInstancesTests(SoapTestCase):
    def tree(self) -> ET.Element:
        answer = self.done("<aev:GetEventInstances/>")
        self.assertEqual(answer.tag, f"{AEV}GetEventInstancesResponse")
        (tree,) = answer
        self.assertEqual(tree.tag, f"{WSTOP}TopicSet")
        return tree

    def test_roles(self) -> None:
        """An operator may ask."""
        self.assert_soap_roles("<aev:GetEventInstances/>")

    def test_prefixes(self) -> None:
        """The first level has a prefix; below the first Axis element there is no namespace."""
        for topic in topics(self.tree()):
            self.assertRegex(topic, r"^(tns1|tnsaxis):")
            self.assertNotIn("tnsaxis:", topic.partition("tnsaxis:")[2], topic)

    def test_events(self) -> None:
        """Each event tells whether it has a state, and its items with their types."""
        found = topics(self.tree())
        for topic, (is_property, sources, data) in EVENTS.items():
            message = found[topic]
            told = message.get(f"{AEV}isProperty")
            self.assertEqual(told, "true" if is_property else None, topic)
            for name, expected in (("SourceInstance", sources), ("DataInstance", data)):
                items = message.findall(f"aev:{name}/aev:SimpleItemInstance", NAMES)
                self.assertEqual([item.get("Name") for item in items], expected, topic)
            states = [
                item.get("Name")
                for item in message.iter(f"{AEV}SimpleItemInstance")
                if item.get("isPropertyState") == "true"
            ]
            self.assertEqual(states, data[:1] if is_property else [], topic)

    def test_types(self) -> None:
        """Types are those of the page; of source items the values are told."""
        tree = self.tree()
        types = {item.get("Type") for item in tree.iter(f"{AEV}SimpleItemInstance")}
        known = {"xsd:boolean", "xsd:int", "xsd:float", "xsd:string", "tt:ReferenceToken"}
        self.assertLessEqual(types, known)
        disks = topics(tree)["tnsaxis:Storage/Disruption"]
        values = [value.text for value in disks.iter(f"{AEV}Value")]
        self.assertIn(self.device.disk, values)


class ScheduledEventTests(SoapTestCase):
    def add(self, *children: str, text: str = INTERVAL, dialect: str = "") -> str:  # type: ignore[override]
        """``AddScheduledEvent``."""
        calendar = f"<aev:ICalendar{dialect}>{text}</aev:ICalendar>"
        return (
            f"<aev:AddScheduledEvent><aev:NewScheduledEvent>{''.join(children)}<aev:Schedule>"
            f"{calendar}</aev:Schedule></aev:NewScheduledEvent></aev:AddScheduledEvent>"
        )

    def remove(self, event_id: str) -> str:
        inner = f"<aev:EventID>{event_id}</aev:EventID>"
        return f"<aev:RemoveScheduledEvent>{inner}</aev:RemoveScheduledEvent>"

    def added(self, body: str) -> str:
        """A schedule that is removed after the test; its id."""
        answer = self.done(body)
        self.assertEqual(answer.tag, f"{AEV}AddScheduledEventResponse")
        event_id = self.text(answer, "aev:EventID")
        self.addCleanup(self.send, envelope(self.remove(event_id)))
        return event_id

    def scheduled(self, kind: str = "") -> dict[str, ET.Element]:
        inner = (
            f"<aev:ScheduleFilter><aev:ScheduleType>{kind}</aev:ScheduleType></aev:ScheduleFilter>"
        )
        body = f"<aev:GetScheduledEvents>{inner if kind else ''}</aev:GetScheduledEvents>"
        answer = self.done(body)
        self.assertEqual(answer.tag, f"{AEV}GetScheduledEventsResponse")
        found = answer.findall("aev:ScheduledEvents/aev:ScheduledEvent", NAMES)
        return {self.text(one, "aev:EventID"): one for one in found}

    def test_roles(self) -> None:
        """An operator may ask."""
        self.assert_soap_roles("<aev:GetScheduledEvents/>")

    def test_factory_schedules(self) -> None:
        """The four are there, and they are intervals."""
        self.assertLessEqual(FACTORY, set(self.scheduled()))
        self.assertLessEqual(FACTORY, set(self.scheduled("Interval")))
        self.assertFalse(FACTORY & set(self.scheduled("Pulse")))

    def test_add_and_get(self) -> None:
        """Id, name and text come back, the dialect with it; each kind is found by its filter."""
        for text, kind, other in ((INTERVAL, "Interval", "Pulse"), (PULSE, "Pulse", "Interval")):
            event_id = self.fresh_id()
            given = (
                f"<aev:EventID>{event_id}</aev:EventID>",
                "<aev:Name>Early &amp; late</aev:Name>",
            )
            self.assertEqual(self.added(self.add(*given, text=text)), event_id)
            one = self.scheduled(kind)[event_id]
            self.assertEqual(local(one), ["EventID", "Name", "Schedule"])
            self.assertEqual(self.text(one, "aev:Name"), "Early & late")
            self.assertEqual(self.text(one, "aev:Schedule/aev:ICalendar").split(), text.split())
            self.assertNotIn(event_id, self.scheduled(other))
            self.assertIn(event_id, self.scheduled())

    def test_an_id_is_made_up(self) -> None:
        """Where none is given; the name may lack too."""
        event_id = self.added(self.add())
        self.assertRegex(event_id, r"^com\.axis\.schedules\.genid\.id-\d+$")
        self.assertIn(event_id, self.scheduled())

    def test_forms(self) -> None:
        """Lines separated by space or CRLF; the dialect said or not."""
        ours = ' Dialect="http://www.axis.com/vapix/ws/ical1"'
        for text, dialect in (
            (INTERVAL.replace(" ", "\r\n"), ""),
            (f"<![CDATA[{INTERVAL}]]>", ours),
            ("DTSTART:20260105T080000 RRULE:FREQ=DAILY", ours),
        ):
            self.added(self.add(text=text, dialect=dialect))

    def test_an_event_of_it(self) -> None:
        """Its id is among the values of the event that it makes."""
        event_id = self.added(self.add())
        tree = self.done("<aev:GetEventInstances/>")[0]
        interval = topics(tree)["tns1:UserAlarm/tnsaxis:Recurring/Interval"]
        self.assertIn(event_id, [value.text for value in interval.iter(f"{AEV}Value")])

    def test_faults(self) -> None:
        """What is no schedule, no id, there already, or not there; nothing is added."""
        event_id = self.added(self.add())
        before = set(self.scheduled())
        for body, name in (
            (self.add(text="DTSTART:tomorrow"), "InvalidScheduleFault"),
            (self.add(text=""), "InvalidScheduleFault"),
            (self.add(text=INTERVAL + ";BYSETPOS=1"), "InvalidScheduleFault"),
            (self.add(dialect=' Dialect="urn:other"'), "InvalidScheduleFault"),
            (self.add("<aev:EventID>a/b</aev:EventID>"), "InvalidScheduledEventIDFault"),
            (
                self.add(f"<aev:EventID>{event_id}</aev:EventID>"),
                "ScheduledEventAlreadyExistsFault",
            ),
            (self.remove(self.fresh_id()), "ScheduledEventNotFoundFault"),
        ):
            self.assert_fault(body, name, "aev")
        self.assertEqual(set(self.scheduled()), before)

    def test_removing(self) -> None:
        """A schedule that was removed is gone, from the tree of events too."""
        event_id = self.added(self.add())
        answer = self.done(self.remove(event_id))
        self.assertEqual((answer.tag, len(answer)), (f"{AEV}RemoveScheduledEventResponse", 0))
        self.assertNotIn(event_id, self.scheduled())
        text = self.send(envelope("<aev:GetEventInstances/>")).text
        self.assertNotIn(f">{event_id}<", text)
        self.assert_fault(self.remove(event_id), "ScheduledEventNotFoundFault", "aev")

    def test_what_is_malformed(self) -> None:
        """A missing or unknown element, another kind of schedule: the sender's fault."""
        for body in (
            "<aev:AddScheduledEvent/>",
            self.add().replace("aev:Schedule>", "aev:Plan>"),
            self.add("<aev:EventID>a</aev:EventID>" * 2),
            "<aev:RemoveScheduledEvent/>",
            "<aev:GetScheduledEvents><aev:ScheduleFilter><aev:ScheduleType>Never"
            "</aev:ScheduleType></aev:ScheduleFilter></aev:GetScheduledEvents>",
        ):
            fault = self.refused(body)
            self.assertEqual((fault.status, fault.code), (400, "Sender"), body)


class VirtualInputTests(SoapTestCase):
    def change(self, port: object, active: str) -> str:
        return (
            f"<aev:ChangeVirtualInputState><aev:port>{port}</aev:port>"
            f"<aev:active>{active}</aev:active></aev:ChangeVirtualInputState>"
        )

    def changed(self, active: str, port: int = PORT) -> str:
        answer = self.done(self.change(port, active))
        self.assertEqual(answer.tag, f"{AEV}ChangeVirtualInputStateResponse")
        return self.text(answer, "aev:stateChanged")

    def test_changing(self) -> None:
        """Whether the state has changed is told: not if it was so already."""
        self.changed("false")
        self.addCleanup(self.send, envelope(self.change(PORT, "false")))
        told = [self.changed(state) for state in ("true", "1", "0", "false", "true")]
        self.assertEqual(told, ["true", "false", "true", "false", "true"])

    def test_roles(self) -> None:
        """An operator may change it, a viewer may not."""
        self.assert_soap_roles(self.change(PORT, "0"))

    def test_mistakes(self) -> None:
        """A port that there is not, or is none, and a state that is none: the sender's fault."""
        for port, active in ((0, "1"), (-1, "1"), (100_000, "1"), ("x", "1"), (PORT, "on")):
            fault = self.refused(self.change(port, active))
            self.assertEqual((fault.status, fault.code), (400, "Sender"), (port, active))


class EntryTests(SoapTestCase):
    def services(self, flag: str) -> list[ET.Element]:
        inner = f"<aentry:IncludeCapability>{flag}</aentry:IncludeCapability>"
        answer = self.done(f"<aentry:GetServices>{inner}</aentry:GetServices>")
        self.assertEqual(answer.tag, f"{{{NAMES['aentry']}}}GetServicesResponse")
        return list(answer)

    def test_roles(self) -> None:
        """An operator may ask."""
        self.assert_soap_roles("<aentry:GetServiceCapabilities/>")

    def test_services(self) -> None:
        """Each service with its namespace, address and version; the address is where we ask."""
        self.ours()
        found = {self.text(one, "aentry:Namespace"): one for one in self.services("false")}
        self.assertEqual(set(found), {NAMES[prefix] for prefix in ("aentry", "aev", "aa")})
        for one in found.values():
            self.assertEqual(self.text(one, "aentry:XAddr"), f"{self.device.http}{PATH}")
            version = f"{self.text(one, 'aentry:Version/aentry:Major')}"
            self.assertRegex(version, r"^\d+$")
            self.assertNotIn("Capabilities", local(one))

    def test_capabilities(self) -> None:
        """Are told if they are asked for, and of the entry service by an operation of its own."""
        self.assertIn(
            "Capabilities", {name for one in self.services("true") for name in local(one)}
        )
        answer = self.done("<aentry:GetServiceCapabilities/>")
        self.assertEqual(local(answer), ["Capabilities"])


class EnvelopeTests(SoapTestCase):
    def test_query(self) -> None:
        """A query, which web clients append, is passed over."""
        answer = self.send(envelope("<aev:GetEventInstances/>"), timestamp="1700000000000")
        self.assertEqual(self.content(answer).tag, f"{AEV}GetEventInstancesResponse")

    def test_soap_1_1(self) -> None:
        """An envelope of SOAP 1.1 is answered by one."""
        old = b"http://schemas.xmlsoap.org/soap/envelope/"
        body = envelope("<aev:GetScheduledEvents/>").replace(NAMES["s"].encode(), old)
        action = '"http://www.axis.com/vapix/ws/event1/GetScheduledEvents"'
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": action}
        answer = self.ask(PATH, "operator", method="POST", body=body, headers=headers)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.xml.tag, f"{{{old.decode()}}}Envelope")

    def test_unknown_operations(self) -> None:
        """The sender's fault."""
        for body in ("<aa:Nonsense/>", "<aev:GetActionRules/>", '<x xmlns="urn:x"/>'):
            fault = self.refused(body)
            self.assertEqual((fault.status, fault.code), (400, "Sender"), body)

    def test_what_is_no_envelope(self) -> None:
        """Nothing, text, broken XML, entities, depth, size: the sender's fault, each time."""
        whole = envelope("<aev:GetEventInstances/>")
        entities = "".join(f"<!ENTITY e{i} '&e{i - 1};&e{i - 1};'>" for i in range(1, 40))
        bomb = f"<!DOCTYPE a [<!ENTITY e0 'x'>{entities}]><a>&e39;</a>"
        for body in (
            b"",
            b"GetEventInstances",
            whole[:-20],
            whole.replace(b"GetEventInstances", b"GetEvent\xff"),
            bomb.encode(),
            b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + whole,
            b"<a>" * 100_000,
            b"<" + b"a" * 500_000 + b"/>",
            envelope("<aev:GetEventInstances/>" * 20_000),
        ):
            fault = self.refused(body)
            self.assertEqual((fault.status, fault.code), (400, "Sender"), body[:80])
            self.assertIsNone(re.search("root:|/etc", fault.reason))
