"""The event service: every operation and fault, over schedules as they are kept."""

from xml.etree import ElementTree as ET

from twisted.internet.task import Clock

from axis_nvr.services.accounts import Role
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_sources.schedules import MAX_NAME_CHARACTERS, Schedules
from axis_nvr.services.event_sources.virtual_inputs import VirtualInputs
from axis_nvr.vapix.soap.event_service import ICALENDAR, EventService
from axis_nvr.vapix.soap.names import EVENT
from axis_nvr.vapix.soap.service import SoapDispatcher
from tests.vapix.soap.asking import NAMES, SoapTestCase

INTERVAL = "DTSTART:20260105T080000 DTEND:20260105T170000 RRULE:FREQ=DAILY"
PULSE = "DTSTART:20260105T000000 RRULE:FREQ=HOURLY"


def new(*children: str, text: str = INTERVAL, dialect: str = "") -> str:
    """``AddScheduledEvent``."""
    inner = f"{''.join(children)}<aev:Schedule><aev:ICalendar{dialect}>{text}</aev:ICalendar>"
    return (
        f"<aev:AddScheduledEvent><aev:NewScheduledEvent>{inner}</aev:Schedule>"
        "</aev:NewScheduledEvent></aev:AddScheduledEvent>"
    )


def event_id(text: str) -> str:
    return f"<aev:EventID>{text}</aev:EventID>"


def removed(text: str) -> str:
    return f"<aev:RemoveScheduledEvent>{event_id(text)}</aev:RemoveScheduledEvent>"


def changed(port: object, active: str) -> str:
    return (
        f"<aev:ChangeVirtualInputState><aev:port>{port}</aev:port><aev:active>{active}"
        "</aev:active></aev:ChangeVirtualInputState>"
    )


class EventServiceTests(SoapTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.bus = EventBus(lambda: 1)
        schedules = Schedules(self.house.database, self.bus, Clock(), lambda: self.house.utc)
        service = EventService(self.bus, schedules, VirtualInputs(self.bus), self.house.audit)
        self.serve(SoapDispatcher([service.service()]).endpoint(Role.OPERATOR))

    def scheduled(self, kind: str = "") -> dict[str, ET.Element]:
        inner = f"<aev:ScheduleType>{kind}</aev:ScheduleType>" if kind else ""
        answer = self.done(
            f"<aev:GetScheduledEvents><aev:ScheduleFilter>{inner}</aev:ScheduleFilter>"
            "</aev:GetScheduledEvents>"
        )
        (listed,) = answer
        self.assertEqual(listed.tag, f"{{{EVENT}}}ScheduledEvents")
        return {one.findtext("aev:EventID", "", NAMES): one for one in listed}

    def fault(self, body: str, name: str) -> None:
        fault = self.refused(body)
        self.assertEqual((fault.status, fault.code), (400, "Sender"), fault)
        self.assertEqual((fault.detail, fault.subcode), (f"{{{EVENT}}}{name}", f"aev:{name}"))
        self.assertEqual(fault.children, [])

    def malformed(self, body: str) -> None:
        fault = self.refused(body)
        self.assertEqual((fault.status, fault.code, fault.detail), (400, "Sender", ""), body)

    def audited(self) -> list[tuple[str, str]]:
        found = self.successResultOf(self.house.audit.newest(20))
        return [(entry.action, entry.target) for entry in found]

    def test_event_instances(self) -> None:
        """What is declared on the bus stands in the tree, as it is at this moment."""
        (tree,) = self.done("<aev:GetEventInstances/>")
        self.assertEqual(tree.tag, f"{{{NAMES['wstop']}}}TopicSet")
        path = "tns1:UserAlarm/tnsaxis:Recurring/Interval/aev:MessageInstance//aev:Value"
        before = {value.text for value in tree.findall(path, NAMES)}
        self.assertIn("com.axis.schedules.weekends", before)
        self.done(new(event_id("mine"), "<aev:Name>Mine</aev:Name>"))
        (tree,) = self.done("<aev:GetEventInstances/>")
        after = {v.text: v.get(f"{{{EVENT}}}NiceName") for v in tree.findall(path, NAMES)}
        self.assertEqual(set(after), before | {"mine"})
        self.assertEqual(after["mine"], "Mine")

    def test_schedules(self) -> None:
        """Added, listed by kind, removed; each change is audited."""
        before = set(self.scheduled())
        answer = self.done(new(event_id(" mine "), "<aev:Name>A &amp; b</aev:Name>"))
        self.assertEqual(answer.findtext("aev:EventID", "", NAMES), "mine")
        made_up = self.done(new(text=PULSE, dialect=f' Dialect="{ICALENDAR}"'))
        other = made_up.findtext("aev:EventID", "", NAMES)
        self.assertRegex(other, r"^com\.axis\.schedules\.genid\.id-\d+$")
        self.assertEqual(set(self.scheduled()) - before, {"mine", other})
        self.assertEqual(set(self.scheduled("Pulse")), {other})
        mine = self.scheduled("Interval")["mine"]
        self.assertEqual(mine.findtext("aev:Name", "", NAMES), "A & b")
        text = mine.find("aev:Schedule/aev:ICalendar", NAMES)
        assert text is not None, "it is always told"
        self.assertEqual((text.text, text.get("Dialect")), (INTERVAL, ICALENDAR))
        self.assertIsNone(self.scheduled()[other].find("aev:Name", NAMES))
        self.assertEqual(len(self.done(removed("mine"))), 0)
        self.assertEqual(set(self.scheduled()) - before, {other})
        self.assertEqual(
            self.audited(),
            [
                ("delete", "schedule mine"),
                ("create", f"schedule {other}"),
                ("create", "schedule mine"),
            ],
        )

    def test_faults_of_schedules(self) -> None:
        """Each by its name; nothing is kept, and nothing audited."""
        before = set(self.scheduled())
        for body, name in (
            (new(text="DTSTART:x"), "InvalidScheduleFault"),
            (new(text=""), "InvalidScheduleFault"),
            (new(dialect=' Dialect="urn:x"'), "InvalidScheduleFault"),
            (
                new(f"<aev:Name>{'x' * (MAX_NAME_CHARACTERS + 1)}</aev:Name>"),
                "InvalidScheduleFault",
            ),
            (new(event_id("a b")), "InvalidScheduledEventIDFault"),
            (new(event_id("x" * 10_000)), "InvalidScheduledEventIDFault"),
            (
                new(event_id("com.axis.schedules.weekends")),
                "ScheduledEventAlreadyExistsFault",
            ),
            (removed("nobody"), "ScheduledEventNotFoundFault"),
            (removed(""), "ScheduledEventNotFoundFault"),
        ):
            self.fault(body, name)
        self.assertEqual(set(self.scheduled()), before)
        self.assertEqual(self.audited(), [])

    def test_virtual_inputs(self) -> None:
        """Told whether the state has changed; only then it is audited."""
        told = [
            self.done(changed(port, state)).findtext("aev:stateChanged", "", NAMES)
            for port, state in ((1, "true"), (1, "1"), (32, " true\n"), (1, "0"), (1, "false"))
        ]
        self.assertEqual(told, ["true", "false", "true", "true", "false"])
        state = self.bus.state("tns1:Device/tnsaxis:IO/VirtualInput", (("port", "32"),))
        assert state is not None, "it was changed"
        self.assertEqual(state.data, (("active", "1"),))
        self.assertEqual(
            self.audited(),
            [
                ("change", "virtual input 1 to off"),
                ("change", "virtual input 32 to on"),
                ("change", "virtual input 1 to on"),
            ],
        )

    def test_what_is_malformed(self) -> None:
        """Missing, repeated, unknown elements and wrong kinds: the sender's fault."""
        good = new(event_id("mine"))
        for body in (
            "<aev:GetEventInstances><aev:x/></aev:GetEventInstances>",
            "<aev:AddScheduledEvent/>",
            "<aev:AddScheduledEvent><aev:NewScheduledEvent/></aev:AddScheduledEvent>",
            good.replace("aev:Schedule>", "aev:Plan>"),
            good.replace("aev:ICalendar>", "aev:Calendar>").replace("<aev:IC", "<aev:C"),
            good.replace(event_id("mine"), event_id("mine") * 2),
            good.replace("mine", "<aev:x/>"),
            good.replace("aev:EventID", "aa:EventID"),
            "<aev:RemoveScheduledEvent/>",
            "<aev:GetScheduledEvents><aev:Filter/></aev:GetScheduledEvents>",
            "<aev:GetScheduledEvents><aev:ScheduleFilter><aev:ScheduleType>interval"
            "</aev:ScheduleType></aev:ScheduleFilter></aev:GetScheduledEvents>",
            "<aev:ChangeVirtualInputState/>",
            changed("", "1"),
            changed("one", "1"),
            changed(0, "1"),
            changed(33, "1"),
            changed(-1, "1"),
            changed("9" * 18, "1"),
            changed("9" * 400, "1"),
            changed(1, "on"),
            changed(1, ""),
        ):
            self.malformed(body)
        self.assertNotIn("mine", self.scheduled())
        self.assertEqual(self.audited(), [])

    def test_what_a_vms_writes_in_place(self) -> None:
        """There is no operation that changes a schedule: the receiver's fault says so."""
        fault = self.refused("<aev:SetScheduledEvent/>")
        self.assertEqual((fault.status, fault.code), (500, "Receiver"))
