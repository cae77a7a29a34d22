"""Recordings that run: begun by the configuration, by a client or by a rule, ended by whoever may.

A run is what somebody ordered; on the disk it is usually one recording, and another one after each
time that the disk failed. Whoever names any of them by its id means the run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.defer import TimeoutError as NotInTime
from twisted.internet.interfaces import IReactorTime

from axis_nvr.errors import ConfigError, NvrError, WireError
from axis_nvr.media.stream_options import StreamOptions
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.recording_feed import Allowance, RecordingSink
from axis_nvr.services.recording_job import IRecordingObserver, RecordingJob
from axis_nvr.services.stream_registry import StreamLease, StreamRegistry, StreamRequest
from axis_nvr.storage.recording import RecordingDetails

#: Recordings that may run at once.
MAX_RUNS = 1024
#: Ids of earlier recordings that a run answers to.
MAX_EARLIER_IDS = 100
#: How long an answer waits for the disk to name a recording, in seconds.
NAME_SECONDS = 10.0


class NotRunning(NvrError):
    """No recording of this id runs."""


class CannotRecord(NvrError):
    """A recording cannot be begun: no such disk or device, or too many run."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants recorded.

    :param options: the stream options as they were given, ``device`` among them.
    :param trigger_type: ``continuous`` or ``triggered``.
    :param trigger_name: name of the rule or configuration (``eventid`` of ``list.cgi``).
    :param trigger_trigger: name of the action (``eventtrigger`` of ``list.cgi``).
    :param group: token of the recording group, empty without one.
    """

    disk: str
    options: str
    trigger_type: str = "continuous"
    trigger_name: str = "continuous"
    trigger_trigger: str = "continuous"
    group: str = ""


@dataclass(slots=True, eq=False)
class Run:
    """An order that is being carried out.

    :ivar name: for log and status.
    :param make_job: makes what keeps its recording going, not started.
    :param goes_on: whether it goes on as another recording where one is removed or a disk is
        locked: it is for whoever ordered it to end it.
    :ivar ended: called when somebody ends it, unless he is told not to.
    :ivar begins_us: where what it begins with begins, if that was there already: UTC, microseconds
        since 1970.
    :ivar job: the one that does.
    :ivar ids: of its recordings, oldest first.
    :ivar earlier_ids: of the recordings of the run that it took over from.
    """

    order: Order
    name: str
    request: StreamRequest
    lease: StreamLease[CameraStream]
    make_job: Callable[["Run"], RecordingJob]
    goes_on: bool = False
    ended: Callable[[], None] = field(default=lambda: None)
    begins_us: int | None = None
    job: RecordingJob = field(init=False)
    ids: list[str] = field(default_factory=list)
    earlier_ids: tuple[str, ...] = ()
    _unnamed: list["Deferred[str]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.job = self.make_job(self)

    def named(self) -> "Deferred[str]":
        """Give the id of its newest recording, as soon as it has one."""
        waiter: Deferred[str] = Deferred()
        if self.ids:
            waiter.callback(self.ids[-1])
        else:
            self._unnamed.append(waiter)
        return waiter

    def note(self, recording: RecordingSink) -> RecordingSink:
        """Take note of a recording that was begun for it."""
        self.ids.append(recording.recording_id)
        waiting, self._unnamed = self._unnamed, []
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(recording.recording_id)
        return recording


class Recordings:
    """Begins and ends recordings.

    :param registry: the cameras and their streams.
    :param disks: the disks by id.
    :ivar runs: what runs, oldest first.
    :ivar observer: hears of all recordings that are begun from now on.
    """

    def __init__(
        self,
        registry: StreamRegistry[CameraStream],
        disks: Mapping[str, DiskKeeper],
        clock: IReactorTime,
    ) -> None:
        self.observer: IRecordingObserver | None = None
        self.registry = registry
        self.runs: list[Run] = []
        self._ending: list[Run] = []
        self._disks = disks
        self._clock = clock
        self._allowances = {disk_id: Allowance() for disk_id in disks}

    def trouble(self, disk: str) -> str:
        """Say what is wrong with a disk, so that it may take no recordings now; empty: nothing."""
        keeper = self._disks[disk]
        return keeper.refusal or (keeper.disruption.words if keeper.disruption else "")

    def request(self, order: Order, *, pre_buffer: bool = False) -> StreamRequest:
        """Say which stream an order wants.

        :param pre_buffer: groups of it are held for recordings that begin later.
        :raises ConfigError: its options name no camera that is known, or cannot be read; or there
            is no such disk.
        """
        try:
            request = self.registry.request(
                StreamOptions.parse(order.options), pre_buffer=pre_buffer
            )
        except WireError as error:
            raise ConfigError(f"options: {error}") from None
        except ConfigError as error:
            raise ConfigError(f"options {error}") from None
        if order.disk not in self._disks:
            known = ", ".join(self._disks)
            raise ConfigError(f"disk {order.disk!r} is not among the disks: {known}")
        return request

    def begin(
        self,
        order: Order,
        name: str = "",
        *,
        request: StreamRequest | None = None,
        since_us: int | None = None,
        goes_on: bool = False,
    ) -> Run:
        """Begin to record; neither camera nor disk is waited for.

        :param name: for log and status; the camera's, if not given.
        :param request: the stream, if it is not the one that the order's options make.
        :param since_us: record what the stream's buffer holds from the key frame at or before this
            time on: UTC, microseconds since 1970; the open group, if not given.
        :param goes_on: see `Run`; what is continuous always does.
        :raises ConfigError: see `request`.
        :raises CannotRecord: too many recordings run.
        """
        if request is None:
            request = self.request(order)
        if len(self.runs) >= MAX_RUNS:
            raise CannotRecord(f"{MAX_RUNS} recordings run already")
        disk, details = self._disks[order.disk], _details(order, request)
        lease = self.registry.acquire(request)
        name = self._free_name(name or request.camera.id)
        buffer = lease.stream.buffer
        before = buffer.since(since_us)
        begins_us = before[0].start_us if before else buffer.open_us

        def make_job(run: Run) -> RecordingJob:
            def open_recording() -> "Deferred[RecordingSink]":
                start_us = None if since_us is None or run.ids else begins_us
                return disk.open_recording(details, start_us=start_us).addCallback(run.note)

            return RecordingJob(
                name,
                buffer,
                open_recording,
                self._clock,
                self._allowances[order.disk],
                self.observer,
                partial(disk.refuse_waiting, "the recording ended before the disk was ready"),
            )

        goes_on = goes_on or order.trigger_type == "continuous"
        run = Run(order, name, request, lease, make_job, goes_on, begins_us=begins_us)
        self.runs.append(run)
        run.job.start(before)
        return run

    async def record(self, order: Order) -> str:
        """Begin to record and wait for the recording's id.

        :raises ConfigError: see `request`.
        :raises CannotRecord: too many recordings run, or the disk does not take it now; nothing
            runs then.
        """
        self.request(order)
        refusal = self._disks[order.disk].refusal
        if refusal:
            raise CannotRecord(refusal)
        run = self.begin(order)
        try:
            return await run.named().addTimeout(NAME_SECONDS, self._clock)
        except (CancelledError, NotInTime) as error:
            problem = run.job.status.last_error or "the disk is not ready"
            Deferred.fromCoroutine(self.end(run))  # a disk that hangs is not waited for
            raise CannotRecord(problem) from error

    async def end(self, run: Run) -> None:
        """End a run: its recording is whole on the disk, or given up, when this returns."""
        if run in self.runs:
            self.runs.remove(run)
            run.ended()
            self._ending.append(run)
            run.lease.stream.read_now()  # it ends now, not at the last tick
            await run.job.stop()
            self._ending.remove(run)
            await run.lease.release()

    async def stop(self, recording_id: str) -> None:
        """End the run that a recording belongs to.

        :raises NotRunning: no run has such a recording.
        """
        for run in self.runs:
            if recording_id in run.ids or recording_id in run.earlier_ids:
                await self.end(run)
                return
        raise NotRunning(f"no recording {recording_id!r:.60} runs")

    def run_of(self, recording_id: str) -> Run | None:
        """Give the run that is writing a recording now."""
        return next((run for run in self.runs if run.ids[-1:] == [recording_id]), None)

    def written_until(self, recording_id: str) -> int | None:
        """Tell where what is durable of a recording ends: UTC, microseconds since 1970.

        :returns: None if it is not being written, or nothing of it is durable yet.
        """
        run = self.run_of(recording_id)
        return (run.job.last_end_us or None) if run is not None else None

    async def conclude(self, recording_id: str) -> None:
        """End a recording that runs: a run that goes on does so with another one.

        The other one is begun before, and begins with the group of pictures that this one ends in.
        """
        run = self.run_of(recording_id)
        if run is None:
            return
        if not run.goes_on:
            await self.end(run)
            return
        before, run.job = run.job, run.make_job(run)
        run.job.start(run.lease.stream.buffer.since(None))
        await before.stop()

    def replace(self, run: Run, order: Order, request: StreamRequest) -> Run:
        """Let a run go on by another order, as another recording; it answers to the same ids.

        The new one is begun before the old one ends, so that nothing is missing between them.

        :raises ConfigError: see `begin`; the run goes on as it was, as with the next.
        :raises CannotRecord: too many recordings run.
        """
        name, run.name = run.name, ""
        try:
            successor = self.begin(order, name, request=request, goes_on=run.goes_on)
        except NvrError:
            run.name = name
            raise
        successor.earlier_ids = (*run.earlier_ids, *run.ids)[-MAX_EARLIER_IDS:]
        Deferred.fromCoroutine(self.end(run))
        return successor

    async def end_all(self) -> None:
        """End all runs, those too that are being ended; streams are left to their registry."""
        runs, self.runs = [*self.runs, *self._ending], []
        await gatherResults([run.job.stop() for run in runs], consumeErrors=True)

    def _free_name(self, name: str) -> str:
        names, number, free = {run.name for run in self.runs}, 2, name
        while free in names:
            free, number = f"{name} ({number})", number + 1
        return free


def _details(order: Order, request: StreamRequest) -> RecordingDetails:
    """Say what a recording tells of itself."""
    return RecordingDetails(
        device=request.camera.id,
        stream_options=request.options.effective(pre_buffer=request.pre_buffer),
        source_token=_source_token(request.options),
        trigger_type=order.trigger_type,
        trigger_name=order.trigger_name,
        trigger_trigger=order.trigger_trigger,
        group=order.group,
    )


def _source_token(options: StreamOptions) -> int:
    """Read the number of the ``camera`` option; 1 if there is none, or it is no small number."""
    text = options.get("camera") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 3 else 1
