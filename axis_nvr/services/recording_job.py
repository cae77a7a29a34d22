"""One recording: what a stream delivers, on a disk, for as long as it is wanted.

Theory of operation. A job takes the closed groups of a stream's buffer and writes each to a
recording of a disk (`axis_nvr.services.recording_feed`). It stays one recording while the camera
comes and goes, and while the disk is slow or full or loses a group; what is missing is noted in it.
When the disk has to be closed, the recording is given up, and after a wait that doubles another one
is begun; what comes meanwhile is kept for it, up to a bound::

    idle ──start──► opening ──opened──► recording ──stop──► closing ──closed──► idle
                     ▲   │                  │
                   retry failed           failed
                     └─ waiting ◄───────────┘
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from automat import TypeMachineBuilder, pep614
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError
from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.gop import Gop
from axis_nvr.services.recording_feed import Allowance, FeedCounts, RecordingFeed, RecordingSink

#: The first wait after a disk failed, in seconds; it doubles up to the longest.
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


#: Begins a recording on a disk; errback `StorageError`.
OpenRecording = Callable[[], "Deferred[RecordingSink]"]
#: Has what was begun fail at once, if the disk was not ready for it by now.
Withdraw = Callable[["Deferred[RecordingSink]"], None]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What people want to know about a recording that runs.

    :ivar state: ``idle``, ``opening``, ``recording``, ``waiting`` or ``closing``.
    :ivar recording_id: its name on the disk; empty if there is none now.
    :ivar is_dropping: pictures are being lost now.
    :ivar under_way_gops: groups handed to the disk and not acknowledged; memory holds them until
        then, `under_way_bytes` in all.
    :ivar last_error: what the disk said last; empty: nothing went wrong.
    :ivar failures: how often a recording could not be begun, or not gone on with.
    """

    name: str
    state: str
    recording_id: str
    counts: FeedCounts
    is_dropping: bool
    under_way_gops: int
    under_way_bytes: int
    last_error: str
    failures: int


class IRecordingObserver(Protocol):
    """Hears of recordings, in the reactor's thread; must not raise."""

    def recording_began(self, recording_id: str) -> None:
        """It is being written from now on."""

    def recording_ended(self, recording_id: str) -> None:
        """It is whole on its disk, or was given up."""


class _Inputs(Protocol):
    def start(self) -> None:
        """Begin a recording."""

    def opened(self, recording: RecordingSink) -> None:
        """A recording was begun."""

    def failed(self, failure: Failure) -> None:
        """The disk refused."""

    def retry(self) -> None:
        """The wait is over."""

    def stop(self) -> None:
        """End the recording."""

    def closed(self) -> None:
        """The recording is whole on the disk, or given up."""


@dataclass(eq=False)
class _Core:
    """What the states share."""

    job: "RecordingJob"
    state: str = "idle"
    recording: RecordingSink | None = None
    timer: IDelayedCall | None = None
    wait_seconds: float = FIRST_WAIT_SECONDS
    written_before: int = 0  # groups written when this recording was opened
    idle: list["Deferred[None]"] = field(default_factory=list)


class RecordingJob:
    """Keeps one recording going.

    :param name: for log and status.
    :param buffer: the stream's.
    :param open_recording: begins a recording on the disk.
    :param observer: hears of its recordings.
    :param withdraw: a recording that is to end before its disk is there does not wait for it.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        buffer: GopBuffer,
        open_recording: OpenRecording,
        clock: IReactorTime,
        allowance: Allowance,
        observer: IRecordingObserver | None = None,
        withdraw: Withdraw = lambda opening: None,
    ) -> None:
        self.name = name
        self._withdraw = withdraw
        self._opening: Deferred[RecordingSink] | None = None
        self._observer = observer
        self._buffer = buffer
        self._open_recording = open_recording
        self._clock = clock
        self._core = _Core(self)
        self._machine: _Inputs = _Machine(self._core)
        self._feed = RecordingFeed(name, allowance, self._machine.failed)
        self._last_error = ""
        self._failures = 0

    def start(self, before: Sequence[Gop] = ()) -> None:
        """Begin; what the stream delivers from now on is recorded.

        :param before: groups of the stream's buffer to begin with, of `GopBuffer.since`.
        """
        self._feed.begin_with(before)
        self._buffer.subscribe(self._feed, units=False)
        self._machine.start()

    def stop(self) -> "Deferred[None]":
        """Record what came until now, then end the recording.

        :returns: fires when it is whole on the disk, or given up; never fails. Cancelling does
            nothing: the recording ends all the same.
        """
        done: Deferred[None] = Deferred(lambda _: None)
        self._core.idle.append(done)
        if self._feed in self._buffer.consumers:
            self._buffer.flush()
            self._buffer.unsubscribe(self._feed)
        self._machine.stop()
        return done

    @property
    def status(self) -> JobStatus:
        """How it is now."""
        recording = self._core.recording
        return JobStatus(
            name=self.name,
            state=self._core.state,
            recording_id=recording.recording_id if recording else "",
            counts=self._feed.counts,
            is_dropping=self._feed.is_dropping,
            under_way_gops=self._feed.under_way,
            under_way_bytes=self._feed.under_way_bytes,
            last_error=self._last_error,
            failures=self._failures,
        )

    @property
    def written_gops(self) -> int:
        """Groups that are durable."""
        return self._feed.counts.written_gops

    @property
    def last_end_us(self) -> int:
        """UTC end of the newest group that is durable; 0: none yet."""
        return self._feed.counts.last_end_us

    # What the states do.

    def open(self) -> None:
        """Ask the disk for a recording."""
        self._feed.wait()
        self._opening = self._open_recording()
        self._opening.addCallbacks(self._machine.opened, self._machine.failed)

    def withdraw(self) -> None:
        """Wait no longer for a disk that is not ready; one that is goes on."""
        assert self._opening is not None
        self._withdraw(self._opening)

    def attach(self, recording: RecordingSink) -> None:
        """Write to it from now on."""
        self.log.info(
            "{recording}: recorded as {recording_id}",
            recording=self.name,
            recording_id=recording.recording_id,
        )
        self._feed.attach(recording)
        if self._observer is not None:
            self._observer.recording_began(recording.recording_id)

    def note(self, failure: Failure) -> None:
        """Remember and tell what went wrong; what comes from now on is for the next recording."""
        self._feed.detach()
        self._feed.wait()
        self._failures += 1
        if failure.check(NvrError, OSError):
            self._last_error = failure.getErrorMessage()
            self.log.critical(
                "{recording}: not recorded: {error}", recording=self.name, error=self._last_error
            )
        else:
            self._last_error = "an error inside the recorder; see its log"
            self.log.failure("{recording}: not recorded", failure, recording=self.name)

    def note_missing(self) -> None:
        """Note what was dropped and is not noted yet."""
        self._feed.note_missing()

    def later(self, delay: float) -> IDelayedCall:
        """Try again after a while."""
        return self._clock.callLater(delay, self._machine.retry)

    def close(self, recording: RecordingSink) -> "Deferred[None]":
        """End a recording; what goes wrong is told, and the end is an end all the same."""

        def failed(failure: Failure) -> None:
            self._last_error = failure.getErrorMessage()
            self.log.error(
                "{recording}: {recording_id} was not ended well: {error}",
                recording=self.name,
                recording_id=recording.recording_id,
                error=self._last_error,
            )

        def ended(_: object) -> None:
            if self._observer is not None:
                self._observer.recording_ended(recording.recording_id)

        return recording.close().addErrback(failed).addCallback(ended)

    def conclude(self, recording: RecordingSink) -> None:
        """End a recording behind all that is kept for it."""
        closing = self._feed.drained().addCallback(lambda _: self.close(recording))
        closing.addCallback(lambda _: self._machine.closed())

    def finished(self) -> None:
        """Tell those who wait for the end."""
        self._feed.detach()
        waiting, self._core.idle = self._core.idle, []
        for done in waiting:
            if not done.called:
                done.callback(None)


_builder = TypeMachineBuilder(_Inputs, _Core)
_idle = _builder.state("idle")
_opening = _builder.state("opening")
_recording = _builder.state("recording")
_waiting = _builder.state("waiting")
_closing = _builder.state("closing")
#: The recording that a stop found opening.
_abandoning = _builder.state("abandoning")


def _begin(inputs: _Inputs, core: _Core) -> None:
    core.state, core.timer = "opening", None
    core.job.open()


def _back_off(inputs: _Inputs, core: _Core, failure: Failure) -> None:
    core.state = "waiting"
    abandoned, core.recording = core.recording, None
    core.job.note(failure)
    if abandoned is not None:
        core.job.close(abandoned)
        if core.job.written_gops > core.written_before:  # it was well for a while
            core.wait_seconds = FIRST_WAIT_SECONDS
    core.timer = core.job.later(core.wait_seconds)
    core.wait_seconds = min(2 * core.wait_seconds, LONGEST_WAIT_SECONDS)


def _finish(inputs: _Inputs, core: _Core) -> None:
    core.state, core.recording = "idle", None
    core.job.finished()


@pep614(_idle.upon(_Inputs.start).to(_opening))
def _started(inputs: _Inputs, core: _Core) -> None:
    _begin(inputs, core)


@pep614(_opening.upon(_Inputs.opened).to(_recording))
def _opened(inputs: _Inputs, core: _Core, recording: RecordingSink) -> None:
    core.state, core.recording = "recording", recording
    core.written_before = core.job.written_gops
    core.job.attach(recording)


_opening.upon(_Inputs.failed).to(_waiting)(_back_off)
_recording.upon(_Inputs.failed).to(_waiting)(_back_off)
_waiting.upon(_Inputs.retry).to(_opening)(_begin)


@pep614(_waiting.upon(_Inputs.stop).to(_idle))
def _stopped_waiting(inputs: _Inputs, core: _Core) -> None:
    if core.timer is not None:
        core.timer.cancel()
    core.timer = None
    _finish(inputs, core)


@pep614(_recording.upon(_Inputs.stop).to(_closing))
def _stopped(inputs: _Inputs, core: _Core) -> None:
    core.state = "closing"
    assert core.recording is not None
    core.job.note_missing()
    core.job.conclude(core.recording)


@pep614(_opening.upon(_Inputs.stop).to(_abandoning))
def _stopped_opening(inputs: _Inputs, core: _Core) -> None:
    core.state = "closing"
    core.job.withdraw()


@pep614(_abandoning.upon(_Inputs.opened).to(_closing))
def _opened_late(inputs: _Inputs, core: _Core, recording: RecordingSink) -> None:
    core.recording = recording
    core.job.attach(recording)  # what came while it opened is recorded
    core.job.conclude(recording)


@pep614(_abandoning.upon(_Inputs.failed).to(_idle))
def _failed_late(inputs: _Inputs, core: _Core, failure: Failure) -> None:
    core.job.note(failure)
    _finish(inputs, core)


_closing.upon(_Inputs.closed).to(_idle)(_finish)
_closing.upon(_Inputs.failed).loop()(lambda inputs, core, failure: None)
_closing.upon(_Inputs.stop).loop().returns(None)
_abandoning.upon(_Inputs.stop).loop().returns(None)
_waiting.upon(_Inputs.failed).loop()(lambda inputs, core, failure: None)


_idle.upon(_Inputs.failed).loop()(lambda inputs, core, failure: None)


@pep614(_idle.upon(_Inputs.stop).loop())
def _stopped_idle(inputs: _Inputs, core: _Core) -> None:
    core.job.finished()


_Machine = _builder.build()
