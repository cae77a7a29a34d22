"""Recording by rule: armed once, begun by each trigger, ended after the post-event time.

An armed rule holds its stream from then on, with a buffer that reaches back as far as its pre-event
time. However many rules are armed for one camera with the same stream options, they share one
session with it and one buffer, which reaches as far back as the longest of them wants.

A client that changes a rule removes it and makes it anew: nothing can be changed in place. So a
stream goes on for `LINGER_SECONDS` after its last rule went; the next one finds the buffer filled.

A rule records by itself, or by a recording group. Rules that are armed for the same group make one
recording together: it begins with the first trigger, whose rule it names, and ends the group's
post-event time after the last one.

Two kinds of triggers:

* One with an end (`Armed.start`, `Armed.stop`): recorded from the pre-event time before its start
  until the post-event time after its end. A start within the post-event time extends the recording.
* A pulse (`Armed.pulse`): recorded from the pre-event time before it until the post-event time
  after it. A pulse that comes while that is being recorded extends it until the post-event time
  after that pulse: overlapping recordings of the same pictures would tell nothing more.
"""

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from axis_nvr.errors import ConfigError, WireError
from axis_nvr.media.stream_options import StreamOptions
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.groups import Groups
from axis_nvr.services.recordings import Order, Recordings
from axis_nvr.services.status import RuleReport
from axis_nvr.services.stream_registry import StreamLease
from axis_nvr.services.triggered_recording import TriggeredOrder, TriggeredRecording

__all__ = ["Armed", "TriggeredOrder", "TriggeredRecordings"]

#: So long a stream is held after its last rule has gone, in seconds.
LINGER_SECONDS = 10.0


class Armed:
    """A rule that may record at any moment.

    :ivar failed: told in words, once for each trigger, when nothing can be recorded now.
    """

    log = Logger()

    def __init__(
        self,
        recording: TriggeredRecording,
        rule: str,
        action: str,
        forget: Callable[["Armed"], None],
    ) -> None:
        self.rule = rule
        self.action = action
        self.failed: Callable[[str], None] = lambda words: None
        self._recording = recording
        self._forget = forget
        recording.members.append(self)

    def start(self, utc_us: int) -> None:
        """Record, beginning the pre-event time before now; again is no news.

        :param utc_us: when it was triggered: UTC, microseconds since 1970. A time that is yet to
            come, or long ago, counts as now.
        """
        self._recording.trigger(self, utc_us)

    def stop(self, utc_us: int) -> None:
        """Record until the post-event time from now is over, unless it is started again."""
        self._recording.release(self)

    def pulse(self, utc_us: int) -> None:
        """Record from the pre-event time before a moment until the post-event time after it.

        :param utc_us: as for `start`.
        """
        self._recording.pulse(self, utc_us)

    def disarm(self) -> "Deferred[None]":
        """Be triggered no more. What only this rule recorded ends at once.

        :returns: fires when that is whole on the disk, or given up; never fails.
        """
        self._forget(self)
        return self._recording.leave(self)

    @property
    def status(self) -> str:
        """How it is, for people."""
        report = self._recording.report
        return f"{report.state}: {report.detail}" if report.detail else report.state

    @property
    def recording_id(self) -> str:
        """What it records now; empty if nothing, or nothing that has a name yet."""
        run = self._recording.run
        return run.ids[-1] if run is not None and run.ids else ""

    def tell_failed(self, words: str) -> None:
        """Tell whoever armed it that nothing can be recorded now."""
        self.log.error("the rule {rule} cannot record: {error}", rule=self.rule, error=words)
        with self.log.failuresHandled("while that was told"):
            self.failed(words)


class TriggeredRecordings:
    """Arms rules.

    :param clock: the reactor: post-event times and waits are counted by it.
    :param utc: the time of day, in seconds since 1970.
    """

    def __init__(
        self,
        recordings: Recordings,
        groups: Groups,
        clock: IReactorTime,
        utc: Callable[[], float],
    ) -> None:
        self._recordings = recordings
        self._groups = groups
        self._clock = clock
        self._utc = utc
        self._is_started = False
        self._all: list[TriggeredRecording] = []
        self._by_group: dict[str, TriggeredRecording] = {}
        self._lingering: set[IDelayedCall] = set()
        groups.followers.append(self.look)

    def start(self) -> None:
        """Hold the streams of what is armed, from now on of what is armed later too."""
        self._is_started = True
        self.look()

    def look(self) -> None:
        """Follow a change of devices or groups."""
        if self._is_started:
            for recording in tuple(self._all):
                recording.look()

    def halt(self) -> None:
        """Begin nothing any more: the recorder is about to end all recordings."""
        self._is_started = False
        for recording in self._all:
            recording.halt()
        for timer in self._lingering:
            timer.cancel()
        self._lingering.clear()

    @property
    def reports(self) -> tuple[RuleReport, ...]:
        """How all of them are, for people."""
        return tuple(recording.report for recording in self._all)

    def check(self, order: TriggeredOrder) -> None:
        """Look whether something could be armed, as things are now.

        :raises ConfigError: there is no such disk or device, or the options cannot be read.
        """
        _check(order)
        self._recordings.request(Order(order.disk, order.options))

    def arm(self, order: TriggeredOrder) -> Armed:
        """Be ready to record. Nothing is waited for: disk and device may yet be unknown.

        :raises ConfigError: the options can never be read, or a time is negative.
        """
        _check(order)
        recording = self._make(lambda: order)
        armed = Armed(recording, order.rule, order.action, partial(self._forget, recording))
        self._hold(recording)
        return armed

    def arm_group(self, group_id: str, rule: str, action: str) -> Armed:
        """Be ready to record by a group, as it is at the time. It may yet be unknown."""
        recording = self._by_group.get(group_id)
        if recording is None:
            recording = self._make(partial(self._order_of, group_id))
            self._by_group[group_id] = recording
        armed = Armed(recording, rule, action, partial(self._forget, recording))
        self._hold(recording)
        return armed

    def _make(self, find: Callable[[], TriggeredOrder]) -> TriggeredRecording:
        recording = TriggeredRecording(
            self._recordings, self._clock, self._utc, find, self._let_go_later
        )
        self._all.append(recording)
        return recording

    def _let_go_later(self, lease: StreamLease[CameraStream]) -> None:
        if not self._is_started:  # the recorder is about to stop all streams
            return

        def let_go() -> None:
            self._lingering.discard(timer)
            lease.release()

        timer = self._clock.callLater(LINGER_SECONDS, let_go)
        self._lingering.add(timer)

    def _hold(self, recording: TriggeredRecording) -> None:
        if self._is_started:
            recording.look()

    def _order_of(self, group_id: str) -> TriggeredOrder:
        placed = self._groups.recordable(group_id)
        group = placed.group
        return TriggeredOrder(
            placed.disk,
            group.stream_options,
            group.pre_ms / 1000,
            group.post_ms / 1000,
            group=group.id,
        )

    def _forget(self, recording: TriggeredRecording, armed: Armed) -> None:
        if recording.members == [armed]:
            self._all.remove(recording)
            self._by_group = {k: v for k, v in self._by_group.items() if v is not recording}


def _check(order: TriggeredOrder) -> None:
    try:
        StreamOptions.parse(order.options)
    except WireError as error:
        raise ConfigError(f"options: {error}") from None
    for name, seconds in (("pre", order.pre_seconds), ("post", order.post_seconds)):
        if not 0 <= seconds < float("inf"):
            raise ConfigError(f"the {name}-event time must be 0 s or more")
