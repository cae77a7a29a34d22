"""Events by the clock: intervals that are active for a time, and pulses that come again and again.

The wall clock may step and its time zone may change, so nothing sleeps until a far moment: all
schedules are looked at anew each minute, and each at the moment it is due. What was missed by more
than a minute, because the clock stepped forward or the recorder stood still, is not told late; of
several pulses of one schedule that are late only the newest is told. When the clock is set back,
its times come again, and so do the pulses.

Four schedules are there from the factory. They are schedules like all others: they may be removed,
and then stay away.
"""

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from types import MappingProxyType

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from axis_nvr.errors import NvrError, WireError
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, STRING, EventDeclaration, ItemDeclaration
from axis_nvr.services.event_sources.occurrences import Moment, Occurrences
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.wire.notification import boolean
from axis_nvr.wire.schedule import parse_schedule

INTERVAL = "tns1:UserAlarm/tnsaxis:Recurring/Interval"
PULSE = "tns1:UserAlarm/tnsaxis:Recurring/Pulse"
LEVEL_NAMES = {"tns1:UserAlarm/tnsaxis:Recurring": "Schedule"}

#: Schedules there may be.
MAX_SCHEDULES = 1000
MAX_ID_CHARACTERS = 128
MAX_NAME_CHARACTERS = 256
#: All are looked at at least so often, in seconds; what is later than this is not told any more.
LOOK_SECONDS = 60.0
#: A clock that goes back by less was only corrected: nothing comes again. In seconds.
CORRECTION_SECONDS = 2.0
#: The shortest wait: a timer may come a little before the wall clock is there. In seconds.
SHORTEST_WAIT_SECONDS = 0.002

_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_ID_CHARACTERS}}}", re.ASCII)
_GENERATED_ID = "com.axis.schedules.genid.id-{}"


class InvalidSchedule(NvrError):
    """A schedule is not written as it must be."""


class InvalidScheduledEventId(NvrError):
    """An id has characters that it must not have, or is too long."""


class ScheduledEventExists(NvrError):
    """There is a schedule of this id already."""


class NoScheduledEvent(NvrError):
    """There is no schedule of this id."""


class TooManySchedules(NvrError):
    """There are `MAX_SCHEDULES` already."""


@dataclass(frozen=True, slots=True)
class ScheduledEvent:
    """A schedule.

    :param icalendar: as it was given; see `axis_nvr.wire.schedule`.
    :param is_interval: it has a state; else it is a pulse.
    """

    id: str
    name: str
    icalendar: str
    is_interval: bool


@dataclass(slots=True, eq=False)
class _Entry:
    """A schedule that is kept.

    :ivar told_us: the newest start that has been told, or that was over when we came.
    :ivar next_us: when to look again: UTC, microseconds since 1970; None: never.
    """

    event: ScheduledEvent
    occurrences: Occurrences
    told_us: int | None = None
    next_us: int | None = None


class Schedules:
    """The schedules, and the events they make while they run.

    :param clock: the reactor.
    :param utc: the time of day, in seconds since 1970.
    :param zone: the time zone; None: that of the system.
    :raises ConfigError: the database cannot be read.
    """

    log = Logger()

    def __init__(
        self,
        database: StateDatabase,
        bus: EventBus,
        clock: IReactorTime,
        utc: Callable[[], float],
        zone: tzinfo | None = None,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._utc = utc
        self._zone = zone
        self._lock = DeferredLock()
        self._entries: dict[str, _Entry] = {}
        self._timer: IDelayedCall | None = None
        self._is_running = False
        self._looked_us = 0  # by the wall clock
        self._looked = self._looked_at_all = 0.0  # by the reactor's
        query = "SELECT id, name, icalendar FROM schedules ORDER BY number"
        for event_id, name, icalendar in database.rows(query):
            try:
                self._entries[event_id] = self._read(event_id, name, icalendar)
            except InvalidSchedule as error:
                self.log.error(
                    "the schedule {id} is passed over: {error}", id=event_id, error=str(error)
                )
        self._declare()

    def _read(self, event_id: str, name: str, icalendar: str) -> _Entry:
        try:
            schedule = parse_schedule(icalendar)
        except WireError as error:
            raise InvalidSchedule(str(error)) from None
        is_interval = schedule.end is not None
        event = ScheduledEvent(event_id, name, icalendar, is_interval)
        return _Entry(event, Occurrences(schedule, self._zone))

    @property
    def all(self) -> Mapping[str, ScheduledEvent]:
        """The schedules by id, oldest first."""
        return MappingProxyType({key: e.event for key, e in self._entries.items()})

    async def add(self, event_id: str, name: str, icalendar: str) -> str:
        """Keep another schedule; it counts at once.

        :param event_id: empty for one that is made up.
        :returns: its id.
        :raises InvalidSchedule: `icalendar` is none, or the name is too long.
        :raises InvalidScheduledEventId: see there.
        :raises ScheduledEventExists: see there.
        :raises TooManySchedules: see there.
        :raises StateError: it could not be kept.
        """
        if event_id and not _ID.fullmatch(event_id):
            raise InvalidScheduledEventId(f"{event_id[:60]!a} is no id of a schedule")
        if len(name) > MAX_NAME_CHARACTERS:
            raise InvalidSchedule(f"a name of {len(name)} characters")
        entry = self._read(event_id, name, icalendar)
        async with self._lock:
            if event_id in self._entries:
                raise ScheduledEventExists(f"schedule {event_id!r} exists")
            if len(self._entries) >= MAX_SCHEDULES:
                raise TooManySchedules(f"there are {MAX_SCHEDULES} schedules already")

            def work(connection: sqlite3.Connection) -> str:
                return _insert(connection, event_id, name, icalendar)

            event_id = await self._database.change(work)
            entry.event = ScheduledEvent(event_id, name, icalendar, entry.event.is_interval)
            self._entries[event_id] = entry
            self._declare()
        if self._is_running:
            self._begin(entry, self._now_us())
            self._wait()
        return event_id

    async def remove(self, event_id: str) -> None:
        """Forget a schedule.

        :raises NoScheduledEvent: there is none of this id.
        :raises StateError: it could not be forgotten, and counts.
        """
        async with self._lock:
            if event_id not in self._entries:
                raise NoScheduledEvent(f"no schedule {event_id[:60]!a}")
            await self._database.execute("DELETE FROM schedules WHERE id = ?", event_id)
            entry = self._entries.pop(event_id)
            if entry.event.is_interval:
                self._bus.delete(INTERVAL, (("id", event_id),))
            self._declare()

    def _declare(self) -> None:
        """Declare both events, with the schedules there are."""
        active = ItemDeclaration("active", BOOLEAN, "Active", is_state=True)
        for topic, name, is_interval in (
            (INTERVAL, "Scheduled event", True),
            (PULSE, "Recurring pulse", False),
        ):
            events = [e.event for e in self._entries.values() if e.event.is_interval is is_interval]
            names = {event.id: event.name for event in events if event.name}
            ids = tuple(event.id for event in events)
            source = ItemDeclaration("id", STRING, "Schedule", values=ids, value_names=names)
            self._bus.declare(
                EventDeclaration(
                    topic,
                    name,
                    is_property=is_interval,
                    source=(source,),
                    data=(active,) if is_interval else (),
                    level_names=LEVEL_NAMES,
                )
            )

    # By the clock.

    def start(self) -> None:
        """Tell how all intervals stand, and what comes from now on."""
        self._is_running = True
        now_us = self._looked_us = self._now_us()
        self._looked = self._looked_at_all = self._clock.seconds()
        for entry in self._entries.values():
            self._begin(entry, now_us)
        self._wait()

    def stop(self) -> None:
        """Tell nothing more."""
        self._is_running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now_us(self) -> int:
        return int(self._utc() * 1e6)

    def _begin(self, entry: _Entry, now_us: int) -> None:
        """Take note of how a schedule stands; a pulse that is over is over."""
        moment = entry.occurrences.at(now_us)
        entry.told_us, entry.next_us = moment.last_us, moment.next_us
        self._tell_state(entry, moment)

    def _wait(self) -> None:
        """Look again when the next one is due, and within a minute in any case."""
        if self._timer is not None:
            self._timer.cancel()
        due_us = min((e.next_us for e in self._entries.values() if e.next_us), default=None)
        delay = LOOK_SECONDS
        if due_us is not None:
            delay = min(delay, (due_us - self._now_us()) / 1e6)
        delay = max(delay, SHORTEST_WAIT_SECONDS)
        self._timer = self._clock.callLater(delay, self._look)

    def _look(self) -> None:
        """Tell what has come about since the last look."""
        self._timer = None
        now_us, now = self._now_us(), self._clock.seconds()
        passed_us = int((now - self._looked) * 1e6)
        went_back = now_us < self._looked_us + passed_us - CORRECTION_SECONDS * 1e6
        is_at_all = went_back or now - self._looked_at_all >= LOOK_SECONDS
        self._looked_us, self._looked = now_us, now
        if is_at_all:
            self._looked_at_all = now
        for entry in list(self._entries.values()):
            with self.log.failuresHandled("while looking at {id}", id=entry.event.id):
                if went_back:  # what it shows again comes again
                    entry.told_us = entry.occurrences.at(now_us - passed_us).last_us
                if is_at_all or (entry.next_us is not None and entry.next_us <= now_us):
                    entry.next_us = None  # if this fails, it is looked at with all others
                    self._look_at(entry, now_us)
        self._wait()

    def _look_at(self, entry: _Entry, now_us: int) -> None:
        moment = entry.occurrences.at(now_us)
        entry.next_us = moment.next_us
        last_us, told_us = moment.last_us, entry.told_us
        if last_us is not None and (told_us is None or last_us > told_us):
            entry.told_us = last_us
            if not entry.event.is_interval and now_us - last_us <= LOOK_SECONDS * 1e6:
                self._bus.emit(PULSE, (), (("id", entry.event.id),), utc_us=last_us)
        self._tell_state(entry, moment)

    def _tell_state(self, entry: _Entry, moment: Moment) -> None:
        if entry.event.is_interval:
            data = (("active", boolean(moment.is_active)),)
            self._bus.set_state(INTERVAL, data, (("id", entry.event.id),))


def _insert(connection: sqlite3.Connection, event_id: str, name: str, icalendar: str) -> str:
    """Keep a schedule in the database.

    :returns: its id; the first free one of those that are made up, if none is given.
    """
    insert = "INSERT INTO schedules (id, name, icalendar) VALUES (?, ?, ?)"
    if event_id:
        connection.execute(insert, (event_id, name, icalendar))
        return event_id
    query = "SELECT value FROM settings WHERE name = 'schedules.next_id'"
    row = connection.execute(query).fetchone()
    number = int(row[0]) if row else 0
    taken = {row[0] for row in connection.execute("SELECT id FROM schedules")}
    while (event_id := _GENERATED_ID.format(number)) in taken:
        number += 1
    connection.execute(insert, (event_id, name, icalendar))
    connection.execute(
        "INSERT OR REPLACE INTO settings VALUES ('schedules.next_id', ?)", (str(number + 1),)
    )
    return event_id
