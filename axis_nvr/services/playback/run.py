"""What comes of one PLAY: groups are read, a little ahead, and their units sent when they are due.

::

    source ─► script ─► due? ─► track ─► client
       ▲         │        └ one timer
       └─────────┴ as long as little is ahead; a client that takes nothing holds it up

One thing reads and one timer wakes for each session that plays. In time (``Rate-Control: yes``)
what is due within `AHEAD_SECONDS` goes out together, and nothing is ever left out: a client that
was too slow gets what it missed as fast as it reads. Out of time everything goes out until the
client takes no more.
"""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from axis_nvr.errors import StorageError
from axis_nvr.services.playback.source import Source
from axis_nvr.services.playback.track import PlayedTrack
from axis_nvr.session.replay.extension import replay_extension
from axis_nvr.session.replay.order import Order
from axis_nvr.session.replay.pace import Pace
from axis_nvr.session.replay.script import Group, Script, Step
from axis_nvr.storage.reading.cursor import Edge

#: What is due within this time goes out now, in seconds.
AHEAD_SECONDS = 0.005
#: Seconds between two looks whether a recording has gone on.
POLL_SECONDS = 0.25
#: In time, BYE comes so long after the last unit, in seconds: it may overtake datagrams, and ffmpeg
#: drops what it has not read by then.
LEAVE_SECONDS = 0.25
#: Seconds between sender reports.
REPORT_SECONDS = 5.0


class Run:
    """One PLAY.

    :param utc: the time of day, in seconds since 1970.
    :param tracks: those that are set up, by number.
    :param pace: None: as fast as the client reads.
    :param has_extension: units carry the ONVIF replay extension.
    :ivar is_playing: whether it sends.
    :ivar cseq: of the PLAY that it answers.
    """

    log = Logger()

    def __init__(
        self,
        clock: Any,
        utc: Callable[[], float],
        source: Source,
        order: Order,
        tracks: Mapping[int, PlayedTrack],
        pace: Pace | None,
        *,
        cseq: int,
        has_extension: bool,
    ) -> None:
        self.is_playing = False
        self.order = order
        self.cseq = cseq
        self._sent_us: int | None = None
        self._clock = clock
        self._utc = utc
        self._source = source
        self._tracks = tracks
        self._script = Script(order, frozenset(tracks))
        self._pace = pace
        self._has_extension = has_extension
        self._timer: IDelayedCall | None = None
        self._is_reading = False
        self._retry_at: float | None = None  # something may have been recorded then
        self._was_waiting = False
        self._has_left = False
        self._leave_at: float | None = None
        self._report_at = 0.0

    # What the presentation asks of it.

    async def prepare(self) -> None:
        """Read until it is known what is sent first, or that nothing is there yet.

        :raises StorageError: it cannot be read.
        """
        await self._source.begin()
        while self.first is None and not self.is_over and self._retry_at is None:
            self._take(await self._source.next())

    @property
    def first(self) -> Step | None:
        """What is sent next, as far as is known."""
        return self._script.first

    @property
    def is_over(self) -> bool:
        """Whether all was sent."""
        return self._script.is_over and self._script.first is None

    @property
    def here_us(self) -> int | None:
        """The time in the recording of what is sent next, or was sent last."""
        return self._sent_us if self.first is None else self.first.unit.utc_us

    def session_us(self) -> int | None:
        """Tell when what is sent next is shown, on the session's line; None out of time."""
        if self._pace is None:
            return None
        return self._pace.session_us(0 if self.first is None else self.first.shown_us)

    def line_up(self) -> None:
        """Let what is sent next be due now."""
        if self._pace is not None:
            due_us = 0 if self.first is None else self.first.due_us
            self._pace.begin(self._clock.seconds(), due_us)

    def go_on(self) -> None:
        """Send, from now on."""
        self.is_playing = True
        self._report_at = self._clock.seconds()
        self._send_due()

    def hold(self) -> None:
        """Send nothing more, until `go_on`."""
        self.is_playing = False
        self._stop_timer()

    def writable(self) -> None:
        """Go on: the client takes more."""
        if self.is_playing:
            self._send_due()

    # Reading.

    def _take(self, found: Group | Edge) -> None:
        """Take what was read."""
        self._retry_at = None
        if isinstance(found, Group):
            was_empty = self._script.first is None
            self._script.add(found)
            if was_empty and self._was_waiting:
                self._catch_up()
        elif found is Edge.LATER:
            self._script.settle()
            self._was_waiting = True
            self._retry_at = self._clock.seconds() + POLL_SECONDS
        else:
            self._script.end()

    def _catch_up(self) -> None:
        """Let what was waited for be due now, and not when it would have been."""
        self._was_waiting = False
        first = self._script.first
        if self._pace is not None and first is not None:
            now = self._clock.seconds()
            if self._pace.when(first.due_us) < now:
                self._pace.wait(now, first.due_us)

    def _read_on(self, now: float) -> None:
        """Read as long as little is ahead."""
        if not self._is_reading and self._may_read(now):
            self._is_reading = True
            Deferred.fromCoroutine(self._read()).addErrback(
                lambda failure: self.log.failure("while reading a recording", failure)
            )

    def _may_read(self, now: float) -> bool:
        is_time = self._retry_at is None or now >= self._retry_at
        return self.is_playing and self._script.wants_more and is_time

    async def _read(self) -> None:
        try:
            while self._may_read(self._clock.seconds()):
                self._take(await self._source.next())
                self._send(self._clock.seconds())
        except StorageError as error:
            self.log.warn("playback ends early: {error}", error=str(error))
            self._script.end(is_terminal=False)
        finally:
            self._is_reading = False
        self._send_due()

    # Sending.

    def _send_due(self) -> None:
        """Send what is due, read on, and wake when there is more to do.

        All of it goes by one look at the clock. On a busy machine tens of milliseconds may lie
        between two, and what became due between them would be neither sent nor waited for.
        """
        now = self._clock.seconds()
        self._send(now)
        self._read_on(now)
        if self.is_playing and self.is_over:
            self._leave(now)
        self._schedule(now)

    def _send(self, now: float) -> None:
        """Send what is due, until the client takes no more."""
        if not self.is_playing:
            return
        if self._pace is not None and now >= self._report_at:
            self._report(now)
        while (step := self._script.next) is not None:
            if self._pace is not None and self._pace.when(step.due_us) > now + AHEAD_SECONDS:
                return
            if not self._send_one(step):
                return
            self._script.take()

    def _send_one(self, step: Step) -> bool:
        unit = step.unit
        track = self._tracks[unit.track]
        if self._pace is None:
            ticks = unit.utc_us * track.clock_rate // 1_000_000
        else:
            ticks = self._pace.ticks(step.shown_us, track.clock_rate)
        extension = b""
        if self._has_extension:
            extension = replay_extension(unit.utc_us, step.flags, self.cseq)
        if not track.send(unit, ticks, extension):
            return False
        self._sent_us = unit.utc_us
        return True

    def _schedule(self, now: float) -> None:
        """Wake for what is due behind `now`; a client that takes nothing wakes us itself."""
        self._stop_timer()
        if not self.is_playing:
            return
        wakes = [at for at in (self._retry_at, self._leave_at) if at is not None]
        step = self._script.next
        if step is not None and self._pace is not None:
            wakes.append(self._pace.when(step.due_us))
        if wakes := [at for at in wakes if at > now]:
            delay = max(0.0, min(wakes) - self._clock.seconds())
            self._timer = self._clock.callLater(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._send_due()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Reports.

    def _report(self, now: float) -> None:
        assert self._pace is not None
        self._report_at = now + REPORT_SECONDS
        session_us = self._pace.session_now(now)
        for track in self._tracks.values():
            track.report(int(self._utc() * 1e6), session_us * track.clock_rate // 1_000_000)

    def _leave(self, now: float) -> None:
        """Say once that nothing more comes, when the client has taken all."""
        if self._has_left or any(track.is_blocked for track in self._tracks.values()):
            return
        if self._pace is not None and self._leave_at is None:
            self._leave_at = now + LEAVE_SECONDS
        if self._leave_at is not None and now < self._leave_at:
            return
        self._has_left = True
        self._leave_at = None
        for track in self._tracks.values():
            if self._pace is None:
                track.leave(None, 0)
                continue
            ticks = self._pace.session_now(now) * track.clock_rate // 1_000_000
            track.leave(int(self._utc() * 1e6), ticks)
