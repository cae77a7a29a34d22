"""The event service: which events there are, schedules, virtual inputs."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from axis_nvr.errors import NvrError
from axis_nvr.services.audit import Audit
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_sources.schedules import (
    InvalidSchedule,
    InvalidScheduledEventId,
    NoScheduledEvent,
    ScheduledEvent,
    ScheduledEventExists,
    Schedules,
)
from axis_nvr.services.event_sources.virtual_inputs import NoVirtualInput, VirtualInputs
from axis_nvr.vapix.call import Call
from axis_nvr.vapix.soap.document import Node
from axis_nvr.vapix.soap.faults import sender_fault
from axis_nvr.vapix.soap.fields import Fields, nothing
from axis_nvr.vapix.soap.names import EVENT
from axis_nvr.vapix.soap.service import Operation, SoapService
from axis_nvr.vapix.soap.topic_tree import topic_set
from axis_nvr.vapix.xml_cgi import element

#: The only dialect of schedules, and the one that is meant where none is named.
ICALENDAR = "http://www.axis.com/vapix/ws/ical1"
#: The fault of each error of the schedules.
FAULTS: Mapping[type[NvrError], str] = {
    InvalidSchedule: "InvalidScheduleFault",
    InvalidScheduledEventId: "InvalidScheduledEventIDFault",
    ScheduledEventExists: "ScheduledEventAlreadyExistsFault",
    NoScheduledEvent: "ScheduledEventNotFoundFault",
}
#: What a client may take for operations, and which there is no other way to do than by two.
ABSENT = frozenset({"SetScheduledEvent", "ChangeScheduledEvent", "UpdateScheduledEvent"})


class EventService:
    """Serves the operations of the event service."""

    def __init__(
        self, bus: EventBus, schedules: Schedules, inputs: VirtualInputs, audit: Audit
    ) -> None:
        self._bus = bus
        self._schedules = schedules
        self._inputs = inputs
        self._audit = audit

    def service(self) -> SoapService:
        """Return them by their names."""
        return SoapService(
            EVENT,
            {
                "GetEventInstances": self.get_event_instances,
                "AddScheduledEvent": _told(self.add_scheduled_event),
                "RemoveScheduledEvent": _told(self.remove_scheduled_event),
                "GetScheduledEvents": self.get_scheduled_events,
                "ChangeVirtualInputState": self.change_virtual_input_state,
            },
            ABSENT,
        )

    async def get_event_instances(self, call: Call, body: Node) -> ET.Element:
        """Draw the tree of all events that there are now."""
        nothing(body)
        tree = topic_set(self._bus.declarations.values())
        return element("aev:GetEventInstancesResponse", [tree])

    async def add_scheduled_event(self, call: Call, body: Node) -> ET.Element:
        """Make a schedule."""
        node = Fields(body, ("NewScheduledEvent",)).need("NewScheduledEvent")
        fields = Fields(node, ("EventID", "Name", "Schedule"))
        event_id, name = fields.text("EventID", ""), fields.text("Name", "")
        text = _icalendar(fields.need("Schedule"))
        made = await self._schedules.add(event_id, name, text)
        self._note(call, "create", f"schedule {made}")
        return element("aev:AddScheduledEventResponse", [element("aev:EventID", made)])

    async def remove_scheduled_event(self, call: Call, body: Node) -> ET.Element:
        """Remove a schedule."""
        event_id = Fields(body, ("EventID",)).text("EventID")
        await self._schedules.remove(event_id)
        self._note(call, "delete", f"schedule {event_id}")
        return element("aev:RemoveScheduledEventResponse")

    async def get_scheduled_events(self, call: Call, body: Node) -> ET.Element:
        """List the schedules, all of them or those of one kind."""
        wanted = _wanted(Fields(body, ("ScheduleFilter",)).find("ScheduleFilter"))
        found = [
            element("aev:ScheduledEvent", _described(event))
            for event in self._schedules.all.values()
            if wanted in (None, event.is_interval)
        ]
        listed = element("aev:ScheduledEvents", found)
        return element("aev:GetScheduledEventsResponse", [listed])

    async def change_virtual_input_state(self, call: Call, body: Node) -> ET.Element:
        """Say how a virtual input stands; tell whether it stood otherwise."""
        fields = Fields(body, ("port", "active"))
        port, active = fields.integer("port"), fields.boolean("active")
        try:
            changed = self._inputs.change(port, active)
        except NoVirtualInput as error:
            raise sender_fault(str(error)) from error
        if changed:
            self._note(call, "change", f"virtual input {port} to {'on' if active else 'off'}")
        told = element("aev:stateChanged", "true" if changed else "false")
        return element("aev:ChangeVirtualInputStateResponse", [told])

    def _note(self, call: Call, action: str, target: str) -> None:
        self._audit.note(call.account, call.address, action, target)


def _told(operation: Operation) -> Operation:
    """Give the errors of the schedules their faults."""

    async def told(call: Call, body: Node) -> ET.Element:
        try:
            return await operation(call, body)
        except tuple(FAULTS) as error:
            detail = element(f"aev:{FAULTS[type(error)]}")
            raise sender_fault(str(error), detail) from error

    return told


def _icalendar(schedule: Node) -> str:
    fields = Fields(schedule, ("ICalendar",))
    text = fields.text("ICalendar")
    dialect = fields.need("ICalendar").attributes.get("Dialect", ICALENDAR).strip()
    if dialect != ICALENDAR:
        detail = element("aev:InvalidScheduleFault")
        raise sender_fault(f"the dialect of a schedule must be {ICALENDAR}", detail)
    return text


def _wanted(node: Node | None) -> bool | None:
    """Tell whether intervals are wanted, or pulses; None for both."""
    text = "" if node is None else Fields(node, ("ScheduleType",)).text("ScheduleType", "")
    if text not in ("", "Interval", "Pulse"):
        raise sender_fault("ScheduleType: Interval or Pulse was expected")
    return text == "Interval" if text else None


def _described(event: ScheduledEvent) -> list[ET.Element]:
    name = [element("aev:Name", event.name)] if event.name else []
    text = element("aev:ICalendar", event.icalendar, Dialect=ICALENDAR)
    return [element("aev:EventID", event.id), *name, element("aev:Schedule", [text])]
