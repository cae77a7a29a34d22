"""Events over RTSP: a metadata track that tells each state first, then what happens.

A notification is written into a document once, whoever listens, and laid into packets once for each
packet size; listeners with the same filter are asked once whether they want it. What a client does
not take waits for it, up to a bound; who is beyond that is disconnected, so that it knows that it
has missed something.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Any

from twisted.logger import Logger

from axis_nvr.errors import WireError
from axis_nvr.protocols.presentation import IDelivery, TrackStart
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.live.feed import phrase
from axis_nvr.services.live.outlet import REPORT_SECONDS, Outlet
from axis_nvr.session.packetizers import metadata
from axis_nvr.session.packetizers.choose import Burst
from axis_nvr.session.server.description import OfferedTrack, metadata_track
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.item_filter import ItemFilter
from axis_nvr.wire.notification import EMPTY_DOCUMENT, Notification, build_document
from axis_nvr.wire.topics import TopicFilter

#: Documents, and bytes of them, that may wait for one client.
MAX_WAITING_DOCUMENTS = 5_000
MAX_WAITING_BYTES = 4 * 1024 * 1024
#: Documents of states that are remembered: all who begin to listen are told the same.
REMEMBERED_DOCUMENTS = 1_000


class SharedDocument:
    """A document, and the packets that all who hear of it share."""

    __slots__ = ("_bursts", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._bursts: dict[int, list[Burst]] = {}

    def bursts(self, limit: int) -> list[Burst]:
        """Return its packets.

        :param limit: bytes of the largest payload.
        """
        found = self._bursts.get(limit)
        if found is None:
            found = self._bursts[limit] = [Burst(metadata.packetize(self.data, limit))]
        return found


class EventStreams:
    """The recorder's events for those who listen over RTSP.

    :param producer_uuid: of the recorder, in each document.
    :param clock: the reactor.
    :param utc_us: the wall clock, microseconds since 1970.
    """

    def __init__(
        self, bus: EventBus, producer_uuid: str, clock: Any, utc_us: Callable[[], int]
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._utc_us = utc_us
        self._listeners: dict[tuple[str, str], dict[EventListener, None]] = {}
        self._unsubscribe: Callable[[], None] | None = None

        @lru_cache(REMEMBERED_DOCUMENTS)
        def document(notification: Notification) -> SharedDocument:
            return SharedDocument(build_document([notification], producer_uuid))

        self._document = document
        self._empty = SharedDocument(EMPTY_DOCUMENT)

    def open(self, arguments: Mapping[str, str], random: Random, cname: str) -> "EventListener":
        """Return the track of one more listener.

        :param arguments: of the URL: ``eventtopic`` and ``eventcontent`` choose the events.
        :raises RequestRefused: 400, a filter cannot be read.
        """
        topic, content = arguments.get("eventtopic", ""), arguments.get("eventcontent", "")
        try:
            contents = (ItemFilter.parse(content),) if content.strip() else ()
            wanted = EventFilter(TopicFilter.parse(topic), contents)
        except WireError as error:
            raise RequestRefused(400, phrase(f"Bad Request: {error}")) from None
        outlet = Outlet(metadata_track(), random, cname)
        return EventListener(self, (topic, content), wanted, outlet, self._clock, self._utc_us)

    def add(self, listener: "EventListener") -> list[SharedDocument]:
        """Let somebody hear what happens from now on; returns what it is to hear before."""
        self._listeners.setdefault(listener.key, {})[listener] = None
        if self._unsubscribe is None:
            self._unsubscribe = self._bus.subscribe(self._tell)
        states = filter(listener.wanted.matches, self._bus.states())
        return [self._empty, *map(self._document, states)]

    def remove(self, listener: "EventListener") -> None:
        """Let somebody hear nothing more."""
        same = self._listeners.get(listener.key, {})
        same.pop(listener, None)
        if not same:
            self._listeners.pop(listener.key, None)
        if not self._listeners and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    @property
    def count(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    def stop(self) -> None:
        """Tell all who listen that nothing follows."""
        for listener in [one for same in self._listeners.values() for one in same]:
            listener.ended("the recorder stops")

    def _tell(self, notification: Notification) -> None:
        shared: SharedDocument | None = None
        for same in list(self._listeners.values()):
            if not next(iter(same)).wanted.matches(notification):
                continue
            if shared is None:
                shared = self._document(notification)
            for listener in list(same):
                listener.take(shared)


class EventListener:
    """The metadata track of one client.

    :param key: equal for those who want the same.
    :param wanted: what they want.
    :param clock: the reactor.
    """

    log = Logger()

    def __init__(
        self,
        streams: EventStreams,
        key: tuple[str, str],
        wanted: EventFilter,
        outlet: Outlet,
        clock: Any,
        utc_us: Callable[[], int],
    ) -> None:
        self.key = key
        self.wanted = wanted
        self._streams = streams
        self._outlet = outlet
        self._clock = clock
        self._utc_us = utc_us
        self._queue: deque[SharedDocument] = deque()
        self._queued_bytes = 0
        self._blocked = False
        self._reporting: Any = None

    @property
    def offered(self) -> Sequence[OfferedTrack]:
        """The track as it is described."""
        return [self._outlet.offered]

    def set_up(self, track: int, delivery: IDelivery) -> int:
        """Take the way to the client."""
        return self._outlet.set_up(delivery)

    def prepare(self, cseq: int) -> list[TrackStart]:
        """Get ready to play."""
        self.pause()
        if self._outlet.delivery is None:
            return []
        return [TrackStart(0, *self._outlet.start(self._utc_us()))]

    def started(self) -> None:
        """Tell the state of everything, then what happens."""
        if self._outlet.delivery is None:
            return
        self._report()
        for shared in self._streams.add(self):
            self.take(shared)

    def pause(self) -> None:
        """Tell nothing more until the next PLAY, which begins with all states again."""
        self._streams.remove(self)
        self._queue.clear()
        self._queued_bytes = 0
        self._blocked = False
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = None

    def writable(self) -> None:
        """Go on: the client takes more."""
        self._blocked = False
        while self._queue and not self._blocked:
            if self._send(self._queue[0]):
                self._queued_bytes -= len(self._queue.popleft().data)

    def stop(self) -> None:
        """End."""
        self.pause()

    def take(self, shared: SharedDocument) -> None:
        """Send a document, or let it wait."""
        if not self._queue and not self._blocked and self._send(shared):
            return
        self._queue.append(shared)
        self._queued_bytes += len(shared.data)
        if len(self._queue) > MAX_WAITING_DOCUMENTS or self._queued_bytes > MAX_WAITING_BYTES:
            self._give_up()

    def ended(self, reason: str) -> None:
        """Say good-bye."""
        self._outlet.bye(self._utc_us(), reason)
        self.pause()

    def _give_up(self) -> None:
        """Part with a client that does not keep up."""
        self.log.warn(
            "a listener does not take its events: {waiting} wait, it is disconnected",
            waiting=len(self._queue),
        )
        self.pause()
        if self._outlet.delivery is not None:
            self._outlet.delivery.disconnect()

    def _send(self, shared: SharedDocument) -> bool:
        bursts = shared.bursts(self._outlet.payload_limit())
        if self._outlet.send(bursts, self._utc_us()):
            return True
        self._blocked = True
        return False

    def _report(self) -> None:
        """Send sender reports now and from now on."""
        self._outlet.report(self._utc_us())
        self._reporting = self._clock.callLater(REPORT_SECONDS, self._report)
