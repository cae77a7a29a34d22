"""The three services put together, and their descriptions."""

from collections.abc import Callable
from dataclasses import dataclass

from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_sources.schedules import Schedules
from axis_nvr.services.event_sources.virtual_inputs import VirtualInputs
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.soap.action_service import ActionService
from axis_nvr.vapix.soap.entry import EntryService
from axis_nvr.vapix.soap.event_service import EventService
from axis_nvr.vapix.soap.service import SoapDispatcher
from axis_nvr.vapix.soap.wsdl_files import wsdl_endpoints


@dataclass(frozen=True, slots=True)
class EventParts:
    """What the event and action services call."""

    bus: EventBus
    schedules: Schedules
    inputs: VirtualInputs
    rules: RuleBook


def soap_endpoints(
    parts: EventParts, audit: Audit, utc: Callable[[], float]
) -> tuple[Endpoint, ...]:
    """Return what serves them.

    :param utc: the time of day, in seconds since 1970.
    """
    dispatcher = SoapDispatcher(
        [
            EntryService().service(),
            EventService(parts.bus, parts.schedules, parts.inputs, audit).service(),
            ActionService(parts.rules, audit, utc).service(),
        ]
    )
    return (dispatcher.endpoint(Role.OPERATOR), *wsdl_endpoints())
