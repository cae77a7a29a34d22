"""One stream of a camera, kept going: connected, played, and connected again when it goes.

Theory of operation. A `CameraStream` opens a session with its camera and hands the units that come
to a `GopBuffer`, where recordings and viewers take them. Nobody above needs to know that the camera
went: the buffer is interrupted with a gap, and goes on when the camera is back::

    idle ──start──► connecting ──opened──► playing ──stop──► stopping ──gone──► idle
                      ▲   │                   │                 │▲
                      │   ├──failed───────────┤             start▼ stop
                      │   ├──refused──────────┤             restarting ──gone──► connecting
                      │   ├──locked_out───────┤
                      │   └──misconfigured────┤
                      │                       ▼
                      └──retry── waiting, refused, locked_out; misconfigured has no retry

Another configuration (`CameraStream.reconfigure`) is tried at once by a stream that waits, and used
by one that plays the next time it connects.

Documents that tell of events go past the buffer to an `IDocumentSink`, and at once: a stream that
brings some is read when something comes, not on ticks. A stream may bring nothing but events.

How long is waited is decided by `axis_nvr.services.backoff`, what kind of failure an exception is
by `axis_nvr.services.stream_errors`, and whether a stream that plays is alive by
`axis_nvr.services.liveness`.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.units import (
    AccessUnit,
    Codec,
    Format,
    Gap,
    GapReason,
    MetadataFormat,
    VideoFormat,
)
from axis_nvr.protocols.failures import MediaMissing
from axis_nvr.services.backoff import STABLE_SECONDS, Backoff
from axis_nvr.services.failure_log import FailureLog
from axis_nvr.services.liveness import Liveness
from axis_nvr.services.stream_errors import ErrorKind, StreamError, kind_of, words_of
from axis_nvr.services.stream_machine import StreamInputs, StreamMachine
from axis_nvr.services.stream_plan import (
    ICameraSession,
    IDocumentSink,
    SessionOpener,
    StreamPlan,
)
from axis_nvr.services.stream_status import StreamState, StreamStatus, describe_track
from axis_nvr.session.media_track import TrackStatistics

#: How often a stream that plays is looked at, in seconds: rates, and whether it is alive.
LOOK_SECONDS = 2.0


@dataclass(slots=True)
class _Totals:
    """Counts of the sessions that are over."""

    received: int = 0
    lost: int = 0
    reordered: int = 0

    def plus(self, statistics: Mapping[int, TrackStatistics]) -> "_Totals":
        """Add the counts of a session."""
        return _Totals(
            self.received + sum(s.packets for s in statistics.values()),
            self.lost + sum(s.lost for s in statistics.values()),
            self.reordered + sum(s.reordered for s in statistics.values()),
        )


class CameraStream:
    """Keeps one stream of a camera going.

    :param plan: what is wanted.
    :param buffer: where the units go.
    :param open_session: connects.
    :param clock: the reactor.
    :param utc: the time of day, in seconds since 1970.
    :param jitter: gives numbers from 0 to 1.
    :param documents: takes what tells of events; needed where the plan wants them.
    :ivar state_changed: called with each state that it comes into; must not raise.
    """

    log = Logger()

    def __init__(
        self,
        plan: StreamPlan,
        buffer: GopBuffer,
        open_session: SessionOpener,
        clock: Any,
        *,
        utc: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        documents: IDocumentSink | None = None,
    ) -> None:
        self.plan = plan
        self.buffer = buffer
        self.state_changed: Callable[[StreamState], None] = lambda state: None
        self._documents = documents
        self._open_session = open_session
        self._clock = clock
        self._utc = utc
        self._backoff = Backoff(jitter)
        self._inputs: StreamInputs = StreamMachine(self)
        self._state = StreamState.IDLE
        self._since_us = self._utc_us()
        self._attempt: Deferred[ICameraSession] | None = None
        self._session: ICameraSession | None = None
        self._token = object()  # of the attempt or session whose words count
        self._timer: IDelayedCall | None = None
        self._retry_us: int | None = None
        self._stopped: list[Deferred[None]] = []
        self._urgent = False
        self._accepting = False
        self._last_error: StreamError | None = None
        self._failures = FailureLog(clock)
        self._totals = _Totals()
        self._plays = 0
        self._lead_us = 0  # newest of the stream less our time, when the last session ended
        self._forget_session()

    def _forget_session(self) -> None:
        """Begin to count and to watch anew."""
        self._liveness: Liveness | None = None
        self._played_since = self._looked_at = 0.0
        self._bytes = self._pictures = self._bitrate = 0
        self._fps = 0.0
        self._last_utc_us: int | None = None
        self._formats: dict[int, Format] = {}

    def start(self) -> None:
        """Connect, and come back whenever the camera goes."""
        self._inputs.start()

    def stop(self) -> "Deferred[None]":
        """End the session and do not come back.

        :returns: fires when the connection is gone; never fails. Cancelling does nothing.
        """
        done: Deferred[None] = Deferred(lambda _: None)
        self._stopped.append(done)
        self._inputs.stop()
        return done

    def reconfigure(self, plan: StreamPlan) -> None:
        """Use another plan from the next connection on; who waits for one connects now."""
        self.plan = plan
        self._inputs.reconfigure()

    def set_urgent(self, urgent: bool) -> None:
        """Have pictures when they come, for someone who watches, or on ticks."""
        self._urgent = urgent
        if self._session is not None:
            self._session.set_urgent(self._is_urgent)

    def read_now(self) -> None:
        """Have what the camera has sent by now in the buffer, should it be read on ticks."""
        if self._session is not None:
            self._session.read_now()

    @property
    def _is_urgent(self) -> bool:
        return self._urgent or self.plan.want_events

    def media_time(self, utc_us: int) -> int:
        """Tell where in the stream something is that happened when our clock showed a time.

        What is newest of the stream counts as now, once all that has come is read: so it does not
        matter how far the camera's clock is from ours, and what is told is never later than it is.
        While the stream is interrupted its time is thought to go on.

        :param utc_us: of our clock: UTC, microseconds since 1970; so is what is returned, of the
            stream's.
        """
        self.read_now()
        if self._last_utc_us is not None:
            return utc_us + self._last_utc_us - self._utc_us()
        return utc_us + self._lead_us

    @property
    def newest_us(self) -> int | None:
        """UTC of the newest picture or sound; None while the stream is interrupted."""
        return self._last_utc_us

    @property
    def status(self) -> StreamStatus:
        """The stream as it is now."""
        session, totals = self._session, self._totals
        if session is not None:
            totals = totals.plus(session.statistics())
        tracks = session.tracks if session is not None else ()
        return StreamStatus(
            device=self.plan.device,
            protocol=self.plan.address.protocol,
            state=self._state,
            since_us=self._since_us,
            bitrate=self._bitrate,
            fps=self._fps,
            packets_received=totals.received,
            packets_lost=totals.lost,
            packets_reordered=totals.reordered,
            reconnects=max(0, self._plays - 1),
            last_error=self._last_error,
            retry_us=self._retry_us,
            warnings=self._warnings(),
            tracks=tuple(
                describe_track(t.index, t.kind, self._formats.get(t.index)) for t in tracks
            ),
            clock_offset_us=session.clock_offset_us if session is not None else None,
        )

    def _warnings(self) -> tuple[str, ...]:
        if self._session is None or self._liveness is None:
            return ()
        silent = self._liveness.silent(self._clock.seconds())
        found = [*self._session.warnings, *(f"no {kind} comes" for kind in silent)]
        if any(s.suspected_encrypted for s in self._session.statistics().values()):
            found.append("what comes cannot be decoded: the camera seems to encrypt its stream")
        return tuple(found)

    # What comes from below.

    def _units_received(self, units: Sequence[AccessUnit]) -> None:
        """Hand units on; this runs for each read, with the pictures that it brought."""
        if not self._accepting:  # a session that is being ended
            return
        last = units[-1]
        track, form = last.track, last.format
        for unit in units:
            self._bytes += len(unit.data)
        if self._formats.get(track) is not form:
            self._formats[track] = form
        if isinstance(form, VideoFormat):
            self._pictures += len(units)
        elif isinstance(form, MetadataFormat):
            if self._documents is not None:
                for unit in units:
                    self._documents.document_received(unit)
            return
        self._last_utc_us = last.utc_us
        self.buffer.push(*units)

    def _look(self) -> None:
        """Look whether the session is alive, and count what it brings."""
        session, liveness = self._session, self._liveness
        assert session is not None
        assert liveness is not None
        now = self._clock.seconds()
        elapsed = max(now - self._looked_at, 1e-3)
        self._bitrate, self._fps = round(8 * self._bytes / elapsed), self._pictures / elapsed
        self._bytes, self._pictures, self._looked_at = 0, 0, now
        if self._formats and now - self._played_since >= STABLE_SECONDS:
            self._backoff.succeeded()
        packets = {index: s.packets for index, s in session.statistics().items()}
        self._timer = self._clock.callLater(LOOK_SECONDS, self._look)
        if (silence := liveness.look(packets, now, session.heard)) is not None:
            session.abort(Failure(MediaMissing(silence)))

    # What the states do: see `axis_nvr.services.stream_machine.StreamActions`.

    def _enter(self, state: StreamState) -> None:
        self._state = state
        self._since_us = self._utc_us()
        self.state_changed(state)

    def _utc_us(self) -> int:
        return int(self._utc() * 1e6)

    def connect(self) -> None:
        """Open a session."""
        self._cancel_timer()
        self._enter(StreamState.CONNECTING)
        self._forget_session()
        self._accepting = True
        token = self._token = object()

        def lost(reason: Failure) -> None:
            if token is self._token:
                self._report(reason)

        def opened(session: ICameraSession) -> None:
            if token is self._token:
                self._attempt = None
                self._inputs.opened(session)
            else:  # another attempt took its place
                session.close()

        def failed(reason: Failure) -> None:
            if token is not self._token:
                return
            self._attempt = None
            if self._state is StreamState.STOPPING:
                self._inputs.gone()
            else:
                self._report(reason)

        attempt = maybeDeferred(self._open_session, self.plan, self._units_received, lost)
        self._attempt = attempt
        attempt.addCallbacks(opened, failed)
        attempt.addErrback(self._surprised)

    def _surprised(self, reason: Failure) -> None:
        """Take what was raised by ourselves, while an attempt was dealt with: the last frame."""
        self._report(reason)

    def play(self, session: ICameraSession) -> None:
        """Watch a session that plays."""
        self._enter(StreamState.PLAYING)
        self._session = session
        self._plays += 1
        self._played_since = self._looked_at = self._clock.seconds()
        self._liveness = Liveness({t.index: t.kind for t in session.tracks}, self._played_since)
        self._timer = self._clock.callLater(LOOK_SECONDS, self._look)
        session.set_urgent(self._is_urgent)
        self._failures.played()
        self.log.info(
            "{camera}: plays {tracks} by {protocol}",
            camera=self.plan.device,
            tracks=", ".join(f"{t.kind} {t.codec or t.encoding_name}" for t in session.tracks),
            protocol=self.plan.address.protocol,
        )
        brings_events = any(t.codec is Codec.ONVIF_METADATA for t in session.tracks)
        if brings_events and self._documents is not None:
            self._documents.began()

    def _report(self, reason: Failure) -> None:
        """Say of a failure what kind it is, and so what comes of it."""
        problem = reason.value
        assert problem is not None
        error = StreamError(kind_of(problem), words_of(problem), self._utc_us())
        if error.kind is ErrorKind.INTERNAL:
            self.log.failure("{camera}: while streaming", reason, camera=self.plan.device)
        react = {
            ErrorKind.REFUSED: self._inputs.refused,
            ErrorKind.AUTHENTICATION: self._inputs.locked_out,
            ErrorKind.CONFIGURATION: self._inputs.misconfigured,
        }.get(error.kind, self._inputs.failed)
        react(error)

    def wait(self, state: StreamState, error: StreamError) -> None:
        """Interrupt the buffer and try again later."""
        brought_media = bool(self._formats)
        self._drop_session(error.words)
        self._enter(state)
        self._last_error = error
        delay = self._backoff.next_delay(error.kind, brought_media)
        if delay is not None:
            self._retry_us = self._utc_us() + int(delay * 1e6)
            self._timer = self._clock.callLater(delay, self._inputs.retry)
        self._failures.failed(self.plan.device, error, delay)

    def _drop_session(self, words: str) -> None:
        """Forget the session and tell the consumers that the stream is interrupted."""
        self._cancel_timer()
        self._accepting = False
        session, self._session = self._session, None
        if session is not None:
            self._token = object()
            self._totals = self._totals.plus(session.statistics())
        if self._documents is not None:
            self._documents.ended(words)
        if self._last_utc_us is not None:
            start_us, now_us = self._last_utc_us, self._utc_us()
            self._lead_us = start_us - now_us
            gap = Gap(start_us, max(start_us, now_us), GapReason.DISCONNECTED, detail=words)
            self._last_utc_us = None
            self.buffer.interrupt(gap)

    def connect_anew(self) -> None:
        """Give up an attempt that still uses the plan before, and begin another."""
        attempt, self._attempt = self._attempt, None
        self._token = object()
        if attempt is not None:
            attempt.cancel()
        self.connect()

    def start_over(self) -> None:
        """Connect after all, once what was to be stopped has stopped."""
        self._answer_stops()
        self.connect()

    def end(self) -> None:
        """End what there is: an attempt or a session."""
        self._enter(StreamState.STOPPING)
        session, attempt = self._session, self._attempt
        self._drop_session("stopped")
        if session is not None:
            session.close().addCallback(lambda _: self._inputs.gone())
        elif attempt is not None:
            attempt.cancel()

    def end_late(self, session: ICameraSession) -> None:
        """End a session that opened after the stop."""
        session.close().addCallback(lambda _: self._inputs.gone())

    def rest(self) -> None:
        """Be idle, and tell those who wait for it."""
        self._cancel_timer()
        self._enter(StreamState.IDLE)
        self._answer_stops()

    def _answer_stops(self) -> None:
        """Tell those who wait for the end."""
        waiting, self._stopped = self._stopped, []
        for done in waiting:
            if not done.called:
                done.callback(None)

    def _cancel_timer(self) -> None:
        timer, self._timer, self._retry_us = self._timer, None, None
        if timer is not None and timer.active():
            timer.cancel()
