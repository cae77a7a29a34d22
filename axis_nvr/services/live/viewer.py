"""One client that watches a feed: what is sent to it, and what is left out when it is too slow.

A viewer begins with the newest key frame. What its transport does not take waits in a queue of
references; the packets behind them are shared by all viewers. Whoever lags behind by more than
`MAX_LAG_US` loses whole units up to a key frame, so what arrives can be decoded.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.logger import Logger

from axis_nvr.media.units import AccessUnit, Format, VideoFormat
from axis_nvr.protocols.presentation import IDelivery, TrackStart
from axis_nvr.services.live.feed import LiveFeed
from axis_nvr.services.live.outlet import REPORT_SECONDS, Outlet
from axis_nvr.services.live.shared_unit import SharedUnit
from axis_nvr.session.server.description import OfferedTrack
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.ntp import ntp_from_utc_us
from axis_nvr.wire.rtp_extensions import ReplayExtension, build_replay

#: How far behind a viewer may be, in microseconds of media time, beyond what it began with.
MAX_LAG_US = 4_000_000
#: What may wait for a viewer, in bytes of media.
MAX_WAITING_BYTES = 32 * 1024 * 1024
#: Bytes of the header extension that tells the time of a unit.
EXTENSION_BYTES = 16


class FeedViewer:
    """Tracks of one feed on their way to one client.

    :param outlets: by the number of the track in the stream, in the order of their description.
    :param clock: the reactor.
    :param utc_us: the wall clock, microseconds since 1970.
    :param with_times: whether each packet tells when its unit was taken (``onvifreplayext=1``).
    :param left: called once when nothing more will be asked of the feed.
    """

    log = Logger()

    def __init__(
        self,
        feed: LiveFeed,
        outlets: Mapping[int, Outlet],
        clock: Any,
        utc_us: Callable[[], int],
        *,
        with_times: bool = False,
        left: Callable[[LiveFeed], None] = lambda feed: None,
    ) -> None:
        self.dropped = 0
        self.with_times = with_times
        self._feed = feed
        self._outlets = dict(outlets)
        self._ordered = list(outlets.values())
        self._formats: dict[int, Format] = {t: feed.formats[t] for t in outlets}
        self._clock = clock
        self._utc_us = utc_us
        self._extension_bytes = EXTENSION_BYTES if with_times else 0
        self._left = left
        self._cseq = 0
        self._queue: deque[SharedUnit] = deque()
        self._queued_bytes = 0
        self._sent_us: int | None = None
        self._lag_limit_us = MAX_LAG_US
        self._playing = self._blocked = self._waits_for_key = False
        self._reporting: Any = None
        self._playable: dict[int, Outlet] = {}

    @property
    def offered(self) -> Sequence[OfferedTrack]:
        """The tracks as they are described."""
        return [outlet.offered for outlet in self._ordered]

    def set_up(self, track: int, delivery: IDelivery) -> int:
        """Take the way of a track to the client."""
        return self._ordered[track].set_up(delivery)

    def prepare(self, cseq: int) -> list[TrackStart]:
        """Take what came since the newest key frame, and all that comes from now on.

        :raises RequestRefused: 404, the stream has ended.
        """
        self._cseq = cseq & 0xFF
        self._playable = {t: o for t, o in self._outlets.items() if o.delivery is not None}
        self._clear()
        has_video = any(isinstance(self._formats[track], VideoFormat) for track in self._playable)
        start = self._feed.start_units() if has_video else []
        self._feed.add(self)
        for shared in start:
            self._put(shared)
        self._waits_for_key = has_video and not self._queue
        self._lag_limit_us = MAX_LAG_US + self._lag_us()
        return self.starts()

    def starts(self) -> list[TrackStart]:
        """Tell where each track that is set up goes on from here."""
        if self._queue:
            begin = self._queue[0].unit.utc_us
        else:  # what follows was not taken before what was sent last
            begin = self._utc_us() if self._sent_us is None else self._sent_us
        return [
            TrackStart(place, *outlet.start(begin))
            for place, outlet in enumerate(self._ordered)
            if outlet.delivery is not None
        ]

    def started(self) -> None:
        """Send what there is, then what comes."""
        self._playing = True
        if self._reporting is None:
            self._report()
        self._flush()

    def pause(self) -> None:
        """Send nothing more; a later PLAY begins with the newest key frame again."""
        self._playing = False
        self._feed.remove(self)
        self._clear()
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = None

    def writable(self) -> None:
        """Go on: the client takes more."""
        self._blocked = False
        self._flush()

    def stop(self) -> None:
        """End."""
        self.pause()
        if self.dropped:
            self.log.info(
                "{camera}: a viewer that was too slow has missed {dropped} frames",
                camera=self._feed.device,
                dropped=self.dropped,
            )
        self._left(self._feed)

    # What the feed tells.

    def take(self, shared: SharedUnit) -> None:
        """Take the next unit."""
        unit = shared.unit
        if unit.track not in self._playable:
            return
        if unit.format is not self._formats[unit.track] and not self._follow(unit):
            return
        if self._waits_for_key:
            if not _is_key(unit):
                self.dropped += bool(self.dropped)  # none is missed by who has only begun
                return
            self._waits_for_key = False
        if self._queue or self._blocked or not self._playing or not self._send(shared):
            self._put(shared)
            self._bound()

    def ended(self, reason: str) -> None:
        """Say good-bye."""
        if self._playing:
            for outlet in self._playable.values():
                outlet.bye(self._utc_us(), reason)
        self.pause()

    def _follow(self, unit: AccessUnit) -> bool:
        """Go on with another format, if what was described still fits it."""
        form, before = unit.format, self._formats[unit.track]
        brings_its_sets = isinstance(form, VideoFormat) and form.codec is before.codec
        if brings_its_sets or form == before:
            self._formats[unit.track] = form
            return True
        self.ended(f"{self._feed.device} sends another {form.codec} now")
        return False

    # What waits.

    def _put(self, shared: SharedUnit) -> None:
        if shared.unit.track in self._playable:
            self._queue.append(shared)
            self._queued_bytes += len(shared.unit.data)

    def _clear(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0
        self._sent_us = None
        self._blocked = self._waits_for_key = False

    def _lag_us(self) -> int:
        queue = self._queue
        return queue[-1].unit.utc_us - queue[0].unit.utc_us if queue else 0

    def _bound(self) -> None:
        """Leave out what a viewer that is too slow will never catch up with."""
        if self._lag_us() <= self._lag_limit_us and self._queued_bytes <= MAX_WAITING_BYTES:
            return
        newest = self._queue[-1].unit.utc_us
        kept: deque[SharedUnit] = deque()
        for shared in reversed(self._queue):  # back to the newest key frame
            kept.appendleft(shared)
            if _is_key(shared.unit):
                break
        if not _is_key(kept[0].unit) or newest - kept[0].unit.utc_us > MAX_LAG_US // 2:
            kept.clear()
        missed = len(self._queue) - len(kept)
        if not self.dropped:
            self.log.warn(
                "{camera}: a viewer is too slow: {dropped} frames left out",
                camera=self._feed.device,
                dropped=missed,
            )
        self.dropped += missed
        self._queue = kept
        self._queued_bytes = sum(len(shared.unit.data) for shared in kept)
        self._lag_limit_us = MAX_LAG_US
        has_video = any(isinstance(self._formats[track], VideoFormat) for track in self._playable)
        self._waits_for_key = has_video and not kept

    def _flush(self) -> None:
        """Send what waits, as far as the client takes it."""
        while self._queue and self._playing and not self._blocked:
            if not self._send(self._queue[0]):
                return
            if self._queue:  # sending may have ended everything
                self._queued_bytes -= len(self._queue.popleft().unit.data)
        if not self._queue:
            self._lag_limit_us = MAX_LAG_US

    def _send(self, shared: SharedUnit) -> bool:
        """Send a unit; False if the client is too slow."""
        unit = shared.unit
        outlet = self._playable[unit.track]
        bursts = shared.bursts(outlet.payload_limit(self._extension_bytes))
        extension = self._time_of(unit) if self._extension_bytes else b""
        if outlet.send(bursts, unit.utc_us, extension):
            self._sent_us = unit.utc_us
            return True
        self._blocked = True
        return False

    def _time_of(self, unit: AccessUnit) -> bytes:
        ntp_64 = ntp_from_utc_us(unit.utc_us)
        return build_replay(ReplayExtension(ntp_64, clean_point=unit.sync, cseq=self._cseq))

    def _report(self) -> None:
        """Send sender reports now and from now on."""
        for outlet in self._playable.values():
            outlet.report(self._utc_us())
        self._reporting = self._clock.callLater(REPORT_SECONDS, self._report)


def outlets_of(
    feed: LiveFeed, shown: Callable[[str], bool], make: Callable[[Format], Outlet | None]
) -> dict[int, Outlet]:
    """Make the outlets of a feed's tracks: video first, then sound.

    :param shown: tells which kinds of tracks are wanted.
    :param make: makes an outlet; None where RTP cannot carry the format.
    :raises RequestRefused: 404, there is no track of these.
    """
    found: dict[int, Outlet] = {}
    for track, form in sorted(feed.formats.items(), key=_video_first):
        if shown("video" if isinstance(form, VideoFormat) else "audio"):
            outlet = make(form)
            if outlet is not None:
                found[track] = outlet
    if not found:
        raise RequestRefused(404, "Not Found: the stream has no such track")
    return found


def _video_first(track: tuple[int, Format]) -> tuple[bool, int]:
    return not isinstance(track[1], VideoFormat), track[0]


def _is_key(unit: AccessUnit) -> bool:
    return unit.sync and isinstance(unit.format, VideoFormat)
