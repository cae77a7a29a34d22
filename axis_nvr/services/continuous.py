"""Continuous recordings that clients have asked for: kept, and begun again after a restart.

Each has a profile, a number that is never given twice. What cannot be begun, because its device or
its disk is not known at the time, is tried again when one becomes known.
"""

from collections.abc import Mapping
from types import MappingProxyType

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from axis_nvr.errors import ConfigError, NvrError
from axis_nvr.services.recordings import CannotRecord, Order, Recordings, Run
from axis_nvr.services.state_database import StateDatabase

#: Profiles there may be.
MAX_PROFILES = 512


class NoProfile(NvrError):
    """There is no continuous recording of this profile."""


class ContinuousRecordings:
    """The continuous recordings of clients.

    :raises ConfigError: the database cannot be read.
    """

    log = Logger()

    def __init__(self, database: StateDatabase, recordings: Recordings) -> None:
        self._database = database
        self._recordings = recordings
        self._lock = DeferredLock()
        self._is_started = False
        self._runs: dict[int, Run] = {}
        self._orders = {
            profile: _order(disk, options, event)
            for profile, disk, options, event in database.rows(
                "SELECT profile, disk, options, event FROM continuous ORDER BY profile"
            )
        }

    @property
    def all(self) -> Mapping[int, Order]:
        """What was asked for, by profile; the event is ``trigger_name``."""
        return MappingProxyType(self._orders)

    def start(self) -> None:
        """Begin all that can be begun: at the start, and whenever a device has become known."""
        self._is_started = True
        for profile, order in self._orders.items():
            if profile not in self._runs:
                self._begin(profile, order)

    def _begin(self, profile: int, order: Order) -> None:
        try:
            self._runs[profile] = self._recordings.begin(order)
        except (ConfigError, CannotRecord) as error:
            self.log.error(
                "the continuous recording {profile} cannot be begun: {error}",
                profile=profile,
                error=str(error),
            )

    async def add(self, disk: str, options: str, event: str) -> int:
        """Keep another one and begin it.

        :returns: its profile.
        :raises ConfigError: there is no such disk or device, or the options cannot be read.
        :raises CannotRecord: there are too many.
        :raises StateError: it could not be kept.
        """
        order = _order(disk, options, event)
        self._recordings.request(order)
        async with self._lock:
            if len(self._orders) >= MAX_PROFILES:
                raise CannotRecord(f"there are {MAX_PROFILES} continuous recordings already")
            insert = "INSERT INTO continuous (disk, options, event) VALUES (?, ?, ?)"
            profile = await self._database.execute(insert, disk, options, event)
            self._orders[profile] = order
        if self._is_started:
            self._begin(profile, order)
        return profile

    async def remove(self, profile: int) -> None:
        """End one and forget it.

        :raises NoProfile: there is none of this number.
        :raises StateError: it could not be forgotten, and goes on.
        """
        async with self._lock:
            if profile not in self._orders:
                raise NoProfile(f"no continuous recording {profile}")
            await self._database.execute("DELETE FROM continuous WHERE profile = ?", profile)
            del self._orders[profile]
            run = self._runs.pop(profile, None)
        if run is not None:
            await self._recordings.end(run)


def _order(disk: str, options: str, event: str) -> Order:
    return Order(disk, options, "continuous", event, "continuous")
