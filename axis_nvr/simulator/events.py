"""The events of a virtual camera, and the XML documents that tell them.

A document is a ``tt:MetadataStream`` with one notification. Each stateful event is told as
``Initialized`` to whoever begins to listen and as ``Changed`` when its state changes.

A topic filter is a list of alternatives; a suffix ``//.`` includes all below. Prefixes may be those
of the URL (``onvif``, ``axis``) or those of the documents (``tns1``, ``tnsaxis``).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

#: Characters of an ``eventtopic`` that are looked at.
MAX_FILTER_CHARACTERS = 4096
#: Alternatives of one filter.
MAX_FILTER_ALTERNATIVES = 64

VMD_ANY = "tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY"
VMD_FIRST = "tnsaxis:CameraApplicationPlatform/VMD/Camera1Profile1"
DAY_NIGHT = "tns1:VideoSource/tnsaxis:DayNightVision"

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema">'
)
#: The first document of a stream: nothing has happened yet.
EMPTY_DOCUMENT = f"{_HEAD}</tt:MetadataStream>".encode()

_NOTIFICATION = (
    "{head}<tt:Event>"
    '<wsnt:NotificationMessage xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"'
    ' xmlns:tns1="http://www.onvif.org/ver10/topics"'
    ' xmlns:tnsaxis="http://www.axis.com/2009/event/topics"'
    ' xmlns:wsa5="http://www.w3.org/2005/08/addressing">'
    '<wsnt:Topic Dialect="http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple">'
    "{topic}</wsnt:Topic>"
    "<wsnt:ProducerReference><wsa5:Address>uri://{uuid}/ProducerReference</wsa5:Address>"
    "</wsnt:ProducerReference>"
    '<wsnt:Message><tt:Message UtcTime="{time}" PropertyOperation="{operation}">'
    "<tt:Source>{source}</tt:Source><tt:Key></tt:Key><tt:Data>{data}</tt:Data>"
    "</tt:Message></wsnt:Message></wsnt:NotificationMessage></tt:Event></tt:MetadataStream>"
)


@dataclass(frozen=True, slots=True)
class EventState:
    """A stateful event as it stands.

    :param topic: with the prefixes of the documents; lower Axis levels have none.
    :param source: items that tell which of several it is.
    :param data: items that tell its state.
    :param changed_us: when it last changed, UTC, microseconds since 1970.
    """

    topic: str
    source: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    changed_us: int


def document(state: EventState, operation: str, uuid: str) -> bytes:
    """Write one notification.

    :param operation: ``Initialized`` or ``Changed``.
    :param uuid: of the camera.
    """
    moment = datetime.fromtimestamp(state.changed_us // 1_000_000, UTC)
    text = _NOTIFICATION.format(
        head=_HEAD,
        topic=escape(state.topic),
        uuid=escape(uuid),
        time=f"{moment:%Y-%m-%dT%H:%M:%S}.{state.changed_us % 1_000_000:06d}Z",
        operation=operation,
        source=_items(state.source),
        data=_items(state.data),
    )
    return text.encode()


def _items(pairs: tuple[tuple[str, str], ...]) -> str:
    return "".join(
        f"<tt:SimpleItem Name={quoteattr(name)} Value={quoteattr(value)}/>" for name, value in pairs
    )


def topic_matches(topic: str, event_filter: str) -> bool:
    """Tell whether a topic passes a filter; an empty filter lets all pass."""
    alternatives = re.split(r"[|,]", event_filter[:MAX_FILTER_CHARACTERS])
    wanted = [text.strip() for text in alternatives[:MAX_FILTER_ALTERNATIVES] if text.strip()]
    levels = _levels(topic)
    return not wanted or any(_passes(levels, text) for text in wanted)


def _passes(levels: list[str], text: str) -> bool:
    """Compare with one alternative."""
    if text.endswith("//."):
        above = _levels(text[:-3])
        return levels[: len(above)] == above
    return _levels(text) == levels


def _levels(topic: str) -> list[str]:
    """Split a topic at its levels; a prefix counts where it differs from the one above."""
    found, prefix = [], ""
    for level in topic.split("/"):
        named, colon, name = level.rpartition(":")
        named = {"onvif": "tns1", "axis": "tnsaxis"}.get(named, named)
        if level:
            found.append(name if not colon or named == prefix else f"{named}:{name}")
        prefix = named if colon else prefix
    return found


class EventBoard:
    """The events of one camera and who listens to them.

    :param uuid: of the camera.
    :param utc_us: its clock.
    """

    def __init__(self, uuid: str, utc_us: Callable[[], int]) -> None:
        self.uuid = uuid
        self._utc_us = utc_us
        now = utc_us()
        inactive = (("active", "0"),)
        self.states = {
            VMD_FIRST: EventState(VMD_FIRST, (), inactive, now),
            VMD_ANY: EventState(VMD_ANY, (), inactive, now),
            DAY_NIGHT: EventState(
                DAY_NIGHT, (("VideoSourceConfigurationToken", "1"),), (("day", "1"),), now
            ),
        }
        self._listeners: dict[Callable[[EventState], None], None] = {}

    @property
    def motion(self) -> bool:
        """Whether motion is going on."""
        return self.states[VMD_ANY].data == (("active", "1"),)

    def raise_motion(self, active: bool) -> None:
        """Let motion begin or end; nothing happens if it has already."""
        if active == self.motion:
            return
        data = (("active", "1" if active else "0"),)
        for topic in (VMD_FIRST, VMD_ANY):
            state = replace(self.states[topic], data=data, changed_us=self._utc_us())
            self.states[topic] = state
            for listener in list(self._listeners):
                listener(state)

    def listen(self, listener: Callable[[EventState], None]) -> None:
        """Call `listener` with each state that changes."""
        self._listeners[listener] = None

    def leave(self, listener: Callable[[EventState], None]) -> None:
        """Call `listener` no more."""
        self._listeners.pop(listener, None)
