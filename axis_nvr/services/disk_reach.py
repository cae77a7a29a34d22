"""How far back each disk's recordings reach, at what rate it fills, and when it will be full.

The disks are looked at when somebody wants to know, and not more often than each minute. The rate
is that of the last day, since many record by schedule or by motion, or of the time since the
recorder runs if that is less: while it did not run nothing was recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError
from axis_nvr.services.library import Library, Shelf
from axis_nvr.services.status import DiskReport, ReachReport
from axis_nvr.storage.files import IFiles, Space
from axis_nvr.storage.once import Once
from axis_nvr.storage.reading.reach import Reach, look_at_reach
from axis_nvr.storage.retention.policy import Rules

#: A disk is looked at no more often than this, in seconds.
LOOK_SECONDS = 60.0
#: Who asks waits no longer than this, in seconds: a disk may hang.
WAIT_SECONDS = 1.0
#: A rate is that of so many seconds at most, and is not told before there are so many.
RATE_SECONDS = 86_400.0
MIN_RATE_SECONDS = 60.0
#: A disk that removes what is oldest counts as full if it had room for less than this, in seconds:
#: what it removes are blocks of five minutes.
FULL_SECONDS = 600.0

_DAY_SECONDS = 86_400


@dataclass(slots=True)
class _Look:
    """A look at a disk.

    :param since_us: from when on something was recorded lately.
    :param seconds: how long that is.
    """

    at: float
    since_us: int
    seconds: float
    done: Once


class _Seen(NamedTuple):
    """What was seen.

    :ivar rate: bytes recorded in a second; None: it is too early to say.
    """

    reach: Reach | None
    rate: float | None


class DiskReaches:
    """Looks at the disks in use, and tells what was seen last.

    :param rules: gives what retention goes by, for the id of a disk.
    :param now: the UTC clock, seconds since 1970.
    """

    log = Logger()

    def __init__(
        self,
        library: Library,
        files: IFiles,
        rules: Callable[[str], Rules],
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        self._library = library
        self._files = files
        self._rules = rules
        self._clock = clock
        self._now = now
        self._began_at = clock.seconds()
        self._looks: dict[str, _Look] = {}
        self._seen: dict[str, _Seen] = {}

    async def look(self) -> None:
        """Look at all disks that were not looked at lately; takes `WAIT_SECONDS` at most."""
        shelves = self._library.shelves
        for gone in self._looks.keys() - shelves.keys():
            del self._looks[gone]
            self._seen.pop(gone, None)
        for name, shelf in shelves.items():
            last = self._looks.get(name)
            is_over = last is None or last.done.has_happened
            if last is None or (is_over and self._clock.seconds() - last.at >= LOOK_SECONDS):
                self._begin(shelf)
        waiting = [look.done.wait() for look in self._looks.values()]
        whole: Deferred[Any] = DeferredList(waiting, consumeErrors=True)
        await whole.addTimeout(WAIT_SECONDS, self._clock, lambda result, _: None)

    def _begin(self, shelf: Shelf) -> None:
        now = self._clock.seconds()
        seconds = min(now - self._began_at, RATE_SECONDS)
        since_us = int((self._now() - seconds) * 1e6)
        look = self._looks[shelf.disk] = _Look(now, since_us, seconds, Once())
        asking = shelf.reader.ask(
            look_at_reach,
            self._files,
            shelf.folder,
            since_us,
            with_all=self._rules(shelf.disk).has_limit,
        )
        asking.addCallback(self._saw, shelf.disk, look)
        asking.addErrback(self._failed, shelf.disk)
        asking.addBoth(lambda _: look.done.fire(None))

    def _saw(self, reach: Reach | None, disk_id: str, look: _Look) -> None:
        is_early = reach is None or look.seconds < MIN_RATE_SECONDS
        rate = None if reach is None or is_early else reach.recent_bytes / look.seconds
        self._seen[disk_id] = _Seen(reach, rate)

    def _failed(self, failure: Failure, disk_id: str) -> None:
        """Know nothing of a disk that cannot be read; that it cannot be is said elsewhere."""
        self._seen.pop(disk_id, None)
        if not failure.check(NvrError):
            self.log.failure("while {disk} was looked at", failure, disk=disk_id)

    def of(self, disk: DiskReport) -> ReachReport:
        """Tell what was seen last of a disk, and what comes of it by now."""
        rules, space = self._rules(disk.disk), Space(disk.total_bytes, disk.free_bytes)
        reach, rate = self._seen.get(disk.disk, _Seen(None, None))
        return ReachReport(
            is_known=reach is not None,
            since_us=None if reach is None else reach.since_us,
            bytes_per_day=None if rate is None else int(rate * _DAY_SECONDS),
            seconds_to_full=self._seconds_to_full(rules, space, reach, rate),
            is_automatic=rules.is_automatic,
            kept_free_bytes=rules.reserve_bytes(space, rate or 0.0) if rules.is_automatic else 0,
            max_age_days=rules.max_age_days if rules.is_automatic else 0,
        )

    def _seconds_to_full(
        self, rules: Rules, space: Space, reach: Reach | None, rate: float | None
    ) -> float | None:
        """Tell when the disk takes no more, or has to remove something to make room for it."""
        if reach is None or not rate or not space.total_bytes:
            return None
        if not rules.is_automatic:
            return space.free_bytes / rate
        spare = space.free_bytes - rules.reserve_bytes(space, rate)
        if rules.has_limit and reach.all_bytes is not None:
            spare = min(spare, rules.limit_bytes - reach.all_bytes)
        seconds = spare / rate
        if seconds < FULL_SECONDS:
            return 0.0
        if rules.max_age_days and reach.since_us is not None:
            age_seconds = self._now() - reach.since_us / 1e6
            if age_seconds + seconds > rules.max_age_days * _DAY_SECONDS:
                return None
        return seconds
