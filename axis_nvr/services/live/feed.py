"""One stream as those who watch it see it: a share in it, and what a new viewer begins with.

The feed listens to the stream's buffer and hands each unit to all viewers. It remembers what came
since the newest key frame, so that who begins to watch has a picture at once. While somebody
watches the stream is read at once, not on ticks.

A feed that nobody wants any more lingers for a while before it gives its share back: a client
describes, goes, and comes again to play.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.logger import Logger
from zope.interface import implementer

from axis_nvr.media.buffer import GopBuffer, IGopConsumer
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, AudioFormat, Format, Gap, VideoFormat
from axis_nvr.services.live.shared_unit import SharedUnit
from axis_nvr.services.stream_registry import StreamLease
from axis_nvr.services.stream_status import StreamState, StreamStatus
from axis_nvr.session.server.sessions import RequestRefused

#: What a new viewer begins with at most, in bytes; in a longer group it waits for a key frame.
MAX_START_BYTES = 16 * 1024 * 1024
#: Seconds a client waits for a stream that is yet to begin.
PATIENCE_SECONDS = 10.0
#: Seconds that a second track may come later than the first before it is not waited for.
TRACK_PATIENCE_SECONDS = 1.0
#: Seconds between two looks at a stream that is waited for: whether its camera said no.
LOOK_SECONDS = 0.25
#: Seconds without a unit after which those who watch are told that it is over.
AWAY_SECONDS = 60.0
#: Characters of words in a status line.
MAX_PHRASE_CHARACTERS = 160

#: Where a stream is not worth waiting for.
_REFUSED_STATES = frozenset(
    {StreamState.REFUSED, StreamState.LOCKED_OUT, StreamState.MISCONFIGURED}
)


class WatchedStream(Protocol):
    """What is asked of a stream that is watched."""

    @property
    def buffer(self) -> GopBuffer:
        """Where its groups are."""

    @property
    def status(self) -> StreamStatus:
        """The stream as it is now."""

    def set_urgent(self, urgent: bool) -> None:
        """Have pictures when they come, or on ticks."""

    def start(self) -> object:
        """Connect."""

    def stop(self) -> "Deferred[None] | None":
        """Disconnect."""


class IFeedViewer(Protocol):
    """Somebody who watches."""

    def take(self, shared: SharedUnit) -> None:
        """Take the next unit."""

    def ended(self, reason: str) -> None:
        """Nothing follows."""


@implementer(IGopConsumer)
class LiveFeed:
    """One stream and its viewers.

    :param device: the camera.
    :param lease: the share in the stream.
    :param clock: the reactor.
    :param changed: called when somebody begins to watch, and when nobody does any more.
    :ivar formats: of each track, as far as it is known.
    :ivar users: how many hold on to it, watching or about to.
    """

    log = Logger()

    def __init__(
        self,
        device: str,
        lease: StreamLease[Any],
        clock: Any,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.device = device
        self.lease = lease
        self.formats: dict[int, Format] = {}
        self.users = 0
        self._stream: WatchedStream = lease.stream
        self._clock = clock
        self._changed = changed
        self._viewers: tuple[IFeedViewer, ...] = ()
        self._start: list[SharedUnit] = []
        self._start_bytes = 0
        self._waiting: list[Deferred[None]] = []
        self._has_waited_enough = False
        self._away: Any = None
        self._patience: Any = None
        self._ended = ""
        for unit in _newest_group(self._stream.buffer):
            self._remember(SharedUnit(unit))
        self._stream.buffer.subscribe(self)

    # What the buffer tells.

    def unit_received(self, unit: AccessUnit) -> None:
        """Hand a unit to all who watch; this runs for each picture."""
        shared = SharedUnit(unit)
        self._remember(shared)
        if self._away is not None:
            self._be_back()
        for viewer in self._viewers:
            try:
                viewer.take(shared)
            except Exception:  # one viewer is not to end the others
                self.log.failure("{camera}: while sending to a viewer", camera=self.device)
                self._drop(viewer)

    def gop_closed(self, gop: Gop) -> None:
        """Nothing: viewers live by units."""

    def interrupted(self, gap: Gap) -> None:
        """Wait for the camera, but not for ever."""
        self._start, self._start_bytes = [], 0
        self._wait_for_camera()

    def _wait_for_camera(self) -> None:
        if self._viewers and self._away is None:
            self._away = self._clock.callLater(AWAY_SECONDS, self._stay_away)

    def _be_back(self) -> None:
        if self._away is not None:
            self._away.cancel()
            self._away = None

    def _stay_away(self) -> None:
        self._away = None
        self._end_viewers(f"{self.device} has sent nothing for {AWAY_SECONDS:.0f} s")

    # Who watches.

    @property
    def is_watched(self) -> bool:
        """Whether anybody plays it."""
        return bool(self._viewers)

    def has(self, viewer: IFeedViewer) -> bool:
        """Whether a viewer is handed what comes."""
        return viewer in self._viewers

    def add(self, viewer: IFeedViewer) -> None:
        """Hand a viewer all that comes from now on.

        :raises RequestRefused: 404, the stream has ended.
        """
        self._refuse_if_ended()
        if viewer not in self._viewers:
            self._viewers += (viewer,)
            self._stream.set_urgent(True)
            self._changed()
            if not self._start:
                self._wait_for_camera()

    def remove(self, viewer: IFeedViewer) -> None:
        """Hand a viewer nothing more."""
        self._viewers = tuple(one for one in self._viewers if one is not viewer)
        if not self._viewers:
            self._stream.set_urgent(False)
            self._be_back()
            self._changed()

    def start_units(self) -> list[SharedUnit]:
        """Return what came since the newest key frame; nothing of a stream without video."""
        return self._start.copy()

    def end(self, reason: str) -> None:
        """Give the share back and tell all who watch; nothing can be watched any more."""
        if self._ended:
            return
        self._ended = reason
        self._stream.buffer.unsubscribe(self)
        self._answer(RequestRefused(404, phrase(f"Not Found: {reason}")))
        self._end_viewers(reason)
        self._be_back()
        if self._patience is not None:
            self._patience.cancel()
        self._stream.set_urgent(False)
        self.lease.release()

    def _end_viewers(self, reason: str) -> None:
        for viewer in self._viewers:
            self._drop(viewer, reason)

    def _drop(self, viewer: IFeedViewer, reason: str = "an error in the recorder") -> None:
        self.remove(viewer)
        with self.log.failuresHandled("while ending a viewer of {camera}", camera=self.device):
            viewer.ended(reason)

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise RequestRefused(404, phrase(f"Not Found: {self._ended}"))

    # What is known.

    async def ready(self) -> None:
        """Wait until the formats of all tracks are known, or as long as is reasonable.

        :raises RequestRefused: 404, it has ended; 503, there is no stream now, and why.
        """
        self._refuse_if_ended()
        until = self._clock.seconds() + PATIENCE_SECONDS
        while not self._is_known():
            status = self._stream.status
            if status.state in _REFUSED_STATES or self._clock.seconds() >= until:
                if self.formats and status.state not in _REFUSED_STATES:
                    return
                raise RequestRefused(503, phrase(f"Service Unavailable: {_words(status)}"))
            await self._something()

    async def _something(self) -> None:
        """Wait until something was learned, or for `LOOK_SECONDS`."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        later = self._clock.callLater(LOOK_SECONDS, self._answer)
        try:
            await waiting
        finally:
            _cancel(later)

    def _answer(self, refused: RequestRefused | None = None) -> None:
        """Let those who wait look again."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if refused is None:
                one.callback(None)
            else:
                one.errback(refused)

    def _is_known(self) -> bool:
        """Whether there is a format of each track, or a track has been waited for long enough."""
        if not self.formats:
            return False
        if self._has_waited_enough:
            return True
        kinds = {kind_of(form) for form in self.formats.values()}
        expected = {track.kind for track in self._stream.status.tracks} & {"video", "audio"}
        return bool(expected) and expected <= kinds

    def _remember(self, shared: SharedUnit) -> None:
        unit = shared.unit
        if self.formats.get(unit.track) is not unit.format:
            self._learn(unit)
        if unit.sync and isinstance(unit.format, VideoFormat):
            self._start, self._start_bytes = [shared], len(unit.data)
        elif self._start:
            self._start.append(shared)
            self._start_bytes += len(unit.data)
            if self._start_bytes > MAX_START_BYTES:
                self._start, self._start_bytes = [], 0

    def _learn(self, unit: AccessUnit) -> None:
        if not self.formats:
            self._patience = self._clock.callLater(TRACK_PATIENCE_SECONDS, self._wait_no_more)
        self.formats[unit.track] = unit.format
        self._answer()

    def _wait_no_more(self) -> None:
        self._patience = None
        self._has_waited_enough = True
        self._answer()


def kind_of(format_: Format) -> str:
    """Name the kind of a track, as SDP does."""
    if isinstance(format_, VideoFormat):
        return "video"
    return "audio" if isinstance(format_, AudioFormat) else "application"


def phrase(words: str) -> str:
    """Make words fit for a status line: cameras and clients choose some of them."""
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in words)
    return plain[:MAX_PHRASE_CHARACTERS]


def _words(status: StreamStatus) -> str:
    """Say why there is no stream."""
    error = status.last_error
    return f"{status.device}: {'no picture has come yet' if error is None else error.words}"


def _newest_group(buffer: GopBuffer) -> list[AccessUnit]:
    """Return what came since the newest key frame, as far as it is held."""
    units = buffer.open_units()
    if any(unit.sync and isinstance(unit.format, VideoFormat) for unit in units):
        return units
    for part in reversed(buffer.buffered()):
        units = part.units + units
        if part.starts_at_sync:
            break
    return units


def _cancel(call: Any) -> None:
    with suppress(AlreadyCalled, AlreadyCancelled):
        call.cancel()
