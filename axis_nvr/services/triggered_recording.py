"""A recording that triggers drive: the stream held for it, its beginning, its end.

Theory of operation. The stream runs from the time that the recording is armed, and its buffer
reaches back as far as the pre-event time. A trigger begins a run of `axis_nvr.services.recordings`
with the groups that the buffer holds from the key frame at or before (trigger less pre-event time);
the group that is open then is written when it closes, like all that follow. So nothing waits for a
key frame, and no frame is missing or doubled where past and present meet.

Post-event time is counted by the reactor's clock, which does not step; where the recording begins
and how far it is to reach is told in the stream's own time, by which its pictures are stamped.
When the post-event time is over the recording waits for the pictures of that moment, which take
a while to come, but no longer than `LAST_PICTURES_SECONDS`; then the open group is handed on as it
is. It is never cut short.

What cannot be begun is said once for each time that it is triggered, and tried again while it is
wanted. A camera that is away and a disk that is not ready are no such reason: the run begins and
waits for both.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from axis_nvr.errors import NvrError
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.recordings import Order, Recordings, Run
from axis_nvr.services.status import RuleReport
from axis_nvr.services.stream_registry import StreamLease, StreamRequest
from axis_nvr.services.stream_status import StreamState
from axis_nvr.services.trigger_machine import Trigger, TriggerInputs, TriggerMachine

if TYPE_CHECKING:
    from axis_nvr.services.triggered import Armed

#: A trigger that is told so much later than it happened, in seconds, is not news but a state of
#: old, such as one that is told when a connection is made: it counts from now.
LATE_SECONDS = 5.0
#: Beyond the pre-event time so much is held, in seconds, for triggers that are told a little late.
SPARE_SECONDS = 1.0
#: How long the last pictures are waited for, in seconds, and how often they are looked for.
LAST_PICTURES_SECONDS = 2.0
LOOK_SECONDS = 0.1
#: The first wait after it could not be begun, in seconds; it doubles up to the longest.
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class TriggeredOrder:
    """What is to be recorded when something happens.

    :param options: the stream options, ``device`` among them.
    :param pre_seconds: how much from before the trigger.
    :param post_seconds: how much after its end.
    :param rule: name of the rule (``eventid`` of ``list.cgi``).
    :param action: name of its action (``eventtrigger``).
    :param group: token of the recording group, empty without one.
    """

    disk: str
    options: str
    pre_seconds: float
    post_seconds: float
    rule: str = ""
    action: str = ""
    group: str = ""


class TriggeredRecording:
    """What one or several rules record together.

    :param find: says what is to be recorded as things are now; raises what says why it cannot be.
    :param let_go: takes the share in a stream that no rule needs any more.
    :param utc: the time of day, in seconds since 1970.
    :ivar members: the rules.
    :ivar run: what records now; None: nothing does.
    :ivar state: see `axis_nvr.services.trigger_machine`.
    """

    log = Logger()

    def __init__(
        self,
        recordings: Recordings,
        clock: IReactorTime,
        utc: Callable[[], float],
        find: Callable[[], TriggeredOrder],
        let_go: Callable[[StreamLease[CameraStream]], None],
    ) -> None:
        self.members: list[Armed] = []
        self.run: Run | None = None
        self.state = "idle"
        self._recordings = recordings
        self._clock = clock
        self._utc = utc
        self._find = find
        self._let_go = let_go
        self._inputs: TriggerInputs = TriggerMachine(self)
        self._active: list[Armed] = []
        self._order: TriggeredOrder | None = None
        self._request: StreamRequest | None = None
        self._lease: StreamLease[CameraStream] | None = None
        self._trigger = Trigger(0, "", "")
        self._is_held = False
        self._problem = ""
        self._is_told = False
        self._end_us = 0
        self._end_timer: IDelayedCall | None = None
        self._retry_timer: IDelayedCall | None = None
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._ending: Deferred[None] = succeed(None)

    # What the rules do.

    def trigger(self, armed: "Armed", utc_us: int) -> None:
        """Begin to record for a rule, or go on for it too."""
        if self._is_held and armed not in self._active:
            self._active.append(armed)
            if len(self._active) == 1:
                self._inputs.trigger(self._fresh(armed, utc_us))

    def release(self, armed: "Armed") -> None:
        """Record no more for a rule; after the last one the post-event time begins."""
        if armed in self._active:
            self._active.remove(armed)
            if not self._active:
                self._inputs.release()

    def pulse(self, armed: "Armed", utc_us: int) -> None:
        """Record from before a moment till after it, or what is recorded already so much longer."""
        if self._is_held and not self._active:
            self._inputs.trigger(self._fresh(armed, utc_us))
            self._inputs.release()

    def leave(self, armed: "Armed") -> "Deferred[None]":
        """Forget a rule; with the last one what is recorded ends at once."""
        if armed in self.members:
            self.members.remove(armed)
        if self.members:
            self.release(armed)
            return succeed(None)
        self._inputs.stop()
        lease, self._lease = self._lease, None
        if lease is not None:
            self._let_go(lease)
        self._is_held = False
        return self._ending

    def _fresh(self, armed: "Armed", utc_us: int) -> Trigger:
        now_us = int(self._utc() * 1e6)
        is_news = 0 <= now_us - utc_us <= LATE_SECONDS * 1e6
        return Trigger(utc_us if is_news else now_us, armed.rule, armed.action)

    # What the recorder does.

    def look(self) -> None:
        """Hold the stream, as things are now: when the recorder starts, and on each change."""
        self._is_held = True
        try:
            self._prepare()
        except NvrError as error:
            self._doubt(str(error))
            if self.run is None:
                self._drop_lease()
            return
        self._problem = ""
        self._inputs.retry()

    def halt(self) -> None:
        """Do nothing any more; what records is for the recorder to end."""
        self._is_held = False
        self._cancel_timers()

    @property
    def report(self) -> RuleReport:
        """How it is, for people."""
        names = tuple(armed.rule for armed in self.members)
        if self.run is not None:
            named = self.run.ids[-1] if self.run.ids else "as soon as the disk is ready"
            return RuleReport(names, "recording", named)
        if self.state.startswith("blocked") or self._lease is None:
            return RuleReport(
                names, "cannot record", self._problem or "the recorder has not started"
            )
        return RuleReport(names, "ended by hand" if self.state == "dismissed" else "armed")

    def _doubt(self, words: str) -> None:
        if words != self._problem:
            self.log.warn("a rule cannot record: {error}", error=words)
        self._problem = words

    def _tell(self, words: str) -> None:
        """Say why there is no recording, once for each time that it is triggered."""
        self._problem = words
        if self._is_told:
            return
        self._is_told = True
        for armed in self._active or self.members:
            armed.tell_failed(words)

    # The stream.

    def _prepare(self) -> None:
        """Hold the stream that is wanted now; go on with it if another one is being recorded.

        :raises NvrError: it cannot be, in words.
        """
        order = self._find()
        request = self._recordings.request(
            Order(order.disk, order.options), pre_buffer=order.pre_seconds > 0
        )
        reach = order.pre_seconds + SPARE_SECONDS if order.pre_seconds else 0.0
        before = self._lease
        if before is None or self._request is None or self._request.key != request.key:
            registry = self._recordings.registry
            self._lease = registry.acquire(request, pre_event_seconds=reach)
            self._warn(request)
            if before is not None:
                before.release()
        else:
            before.want(reach)
        self._order, self._request = order, request
        if self.run is not None:
            self._move(self.run, order, request)

    def _warn(self, request: StreamRequest) -> None:
        for warning in request.options.warnings(pre_buffer=request.pre_buffer):
            self.log.warn(
                "{camera}, by rule: {doubt}", camera=request.camera.id, doubt=str(warning)
            )

    def _drop_lease(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    def _move(self, run: Run, order: TriggeredOrder, request: StreamRequest) -> None:
        """Let a run go on with another stream or disk, if that is what is wanted."""
        if run.request.key == request.key and run.order.disk == order.disk:
            return
        wanted = replace(run.order, options=order.options, disk=order.disk)
        run.ended = _nothing
        try:
            self._watch(self._recordings.replace(run, wanted, request))
        except NvrError as error:
            self._watch(run)
            self.log.error(
                "{recording} goes on with the old stream: {error}",
                recording=run.name,
                error=str(error),
            )

    # What the states do: see `axis_nvr.services.trigger_machine.TriggerActions`.

    def begin_at(self, trigger: Trigger) -> None:
        """Begin to record."""
        self._trigger = trigger
        self._is_told = False
        self._wait_seconds = FIRST_WAIT_SECONDS
        self.begin()

    def begin(self) -> None:
        """Try to begin."""
        self._cancel_retry()
        try:
            self._prepare()
            self._run()
        except NvrError as error:
            self._tell(str(error))
            self._inputs.failed()

    def _run(self) -> None:
        order, request, lease = self._order, self._request, self._lease
        assert order is not None
        assert request is not None
        assert lease is not None
        rule, action = self._trigger.rule, self._trigger.action
        since_us = lease.stream.media_time(self._trigger.utc_us) - int(order.pre_seconds * 1e6)
        run = self._recordings.begin(
            Order(order.disk, order.options, "triggered", rule, action, order.group),
            f"{request.camera.id}: {rule}",
            request=request,
            since_us=since_us,
            goes_on=True,
        )
        self._watch(run)
        self._problem = ""
        self._tell_doubts(run, lease.stream, since_us)

    def _watch(self, run: Run) -> None:
        self.run = run
        run.ended = partial(self._was_ended, run)

    def _tell_doubts(self, run: Run, stream: CameraStream, since_us: int) -> None:
        status, trouble = stream.status, self._recordings.trouble(run.order.disk)
        if status.state is not StreamState.PLAYING and status.last_error is not None:
            words = status.last_error.words  # one that is still connecting has not failed
            self._tell(f"{run.request.camera.id} brings no pictures: {words}")
        elif trouble:
            self._tell(f"the disk {run.order.disk}: {trouble}")
        elif run.begins_us is not None and run.begins_us > since_us:
            self.log.info(
                "{recording} begins {seconds:.1f} s later than its pre-event time wants: the"
                " pre-buffer reaches no further back",
                recording=run.name,
                seconds=(run.begins_us - since_us) / 1e6,
            )

    def wait(self) -> None:
        """Try again later."""
        self._cancel_retry()
        if not self._is_held:
            return
        self._retry_timer = self._clock.callLater(self._wait_seconds, self._inputs.retry)
        self._wait_seconds = min(2 * self._wait_seconds, LONGEST_WAIT_SECONDS)

    def run_out(self) -> None:
        """Let the post-event time begin, or begin anew."""
        self.hold()
        if not self._is_held:
            return
        seconds = self._order.post_seconds if self._order is not None else 0.0
        if self._lease is not None:
            now_us = self._lease.stream.media_time(int(self._utc() * 1e6))
            self._end_us = now_us + int(seconds * 1e6)
        self._end_timer = self._clock.callLater(seconds, self._expire, LAST_PICTURES_SECONDS)

    def _expire(self, patience: float) -> None:
        newest_us = self._lease.stream.newest_us if self._lease is not None else None
        if self.run is None or newest_us is None or newest_us >= self._end_us or patience <= 0:
            self._end_timer = None
            self._inputs.expired()
            return
        self._end_timer = self._clock.callLater(LOOK_SECONDS, self._expire, patience - LOOK_SECONDS)

    def hold(self) -> None:
        """Let it not run out."""
        timer, self._end_timer = self._end_timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def end(self) -> None:
        """End the recording, if there is one, and wait for nothing."""
        self._cancel_timers()
        run, self.run = self.run, None
        if run is not None:
            self._ending = Deferred.fromCoroutine(self._recordings.end(run))

    def _was_ended(self, run: Run) -> None:
        if run is self.run:
            self.run = None
            self._inputs.ended()

    def _cancel_retry(self) -> None:
        timer, self._retry_timer = self._retry_timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _cancel_timers(self) -> None:
        self.hold()
        self._cancel_retry()


def _nothing() -> None:
    """Care for nothing: it was ended on purpose."""
