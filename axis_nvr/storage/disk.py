"""A disk as the rest of the recorder sees it: Deferreds in front of a writer thread.

Theory of operation. File operations block, `fdatasync` for as long as the disk likes; so each disk
has one thread, and one disk that hangs stops no other. The reactor's thread puts whole groups into
a bounded queue; the writer thread takes everything that waits, writes, syncs and indexes it as one
batch (`axis_nvr.storage.writer`) and sends all outcomes back with one `callFromThread`.

The queue has a bound for each recording and one for the disk. When it is full, and while a disk
rests after a failure, whole groups of the recording that asks are refused; it notes them as gaps
(`axis_nvr.storage.running_recording`). How the disk is says `axis_nvr.storage.disk_health`.

Nothing here waits for the disk in the reactor's thread. A Deferred that is cancelled does not take
its job back: what was given is written; only the outcome is not told.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.storage.chore_thread import ChoreMaker, ChoreThread
from axis_nvr.storage.disk_health import DiskHealth
from axis_nvr.storage.disk_status import DiskState, DiskStatus, IDiskObserver
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.jobs import Job, OpenRecording, TryOut, WriteGop
from axis_nvr.storage.once import Once
from axis_nvr.storage.queue import WriteQueue
from axis_nvr.storage.recording import RecordingDetails
from axis_nvr.storage.running_recording import Recording
from axis_nvr.storage.sync_threads import SyncThreads
from axis_nvr.storage.threads import StartThread, start_thread
from axis_nvr.storage.writer import DiskWriter

#: Chores that can wait do so while more groups wait than there are recordings, and more than this.
MIN_BUSY_GOPS = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    """A job in the queue, and whom to tell."""

    job: Job
    outcome: "Deferred[Any]"


class Disk:
    """One disk folder, written to by a thread of its own.

    :param disk_id: such as ``HDD_DISK``.
    :param folder: the disk's folder; made if it is not there.
    :param serial: serial number of this recorder, 12 upper-case hexadecimal digits.
    :param reactor: gets the outcomes.
    :param files: what does the file operations.
    :param now: the UTC clock, seconds since 1970.
    :param monotonic: a clock that never steps, in seconds.
    :param zone: whose local time names are in; None is this machine's.
    :param product: full name of this product, as blocks tell it.
    :param digits: gives numbers from 0 to 65535 at random, for names.
    :param chores: makes what goes on at the disk beside recording, once it is open.
    :param start_thread: starts the writer thread and the housekeeping thread.
    :ivar dropped_gops: groups that recordings gave up because they were refused.
    """

    log = Logger()

    def __init__(
        self,
        disk_id: str,
        folder: Path,
        serial: str,
        *,
        reactor: IReactorFromThreads,
        files: IFiles | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        zone: tzinfo | None = None,
        product: str = "axis_nvr",
        digits: Callable[[], int] = lambda: random.randrange(0x10000),
        chores: Sequence[ChoreMaker] = (),
        start_thread: StartThread = start_thread,
    ) -> None:
        self.disk_id = disk_id
        self.folder = folder
        self._serial = serial
        self._reactor = reactor
        self._now = now
        self._monotonic = monotonic
        self._start_thread = start_thread
        self.dropped_gops = 0
        self._failed_gops = 0
        self._queue: WriteQueue[_Ticket] = WriteQueue()
        self._writer = DiskWriter(
            cast(IFiles, Files()) if files is None else files,
            folder,
            serial=serial,
            product=product,
            zone=zone,
            digits=digits,
            now=now,
            monotonic=monotonic,
        )
        self._chores = ChoreThread(chores, start_thread, monotonic, self._chore_failed)
        self._health = DiskHealth(folder, monotonic, lambda: self.wake_chore("retention"))
        self._busy_since: float | None = None
        self._is_started = False
        self._started, self._stopped = Once(), Once()

    # The reactor's thread.

    @property
    def state(self) -> DiskState:
        """How the disk is, by what was last tried."""
        return self._health.state

    @property
    def observer(self) -> IDiskObserver | None:
        """Hears of how the disk is."""
        return self._health.observer

    @observer.setter
    def observer(self, observer: IDiskObserver | None) -> None:
        self._health.observer = observer

    def start(self, *, is_known: bool = False) -> "Deferred[None]":
        """Open the disk and start its thread.

        :param is_known: the folder was a disk before: an empty one is only where it was mounted,
            and recording there would fill the wrong disk.
        :returns: fires when recordings can be opened. Cancelling it stops nothing: call `stop`.
            A disk is started once; after `stop`, make another.
        :raises StorageError: as a failure: the disk cannot be used; `state` says how.
        """
        if not self._is_started:
            self._is_started = True
            self._writer.is_known = is_known
            self._start_thread(self._run, f"disk {self.disk_id}")
        return self._started.wait()

    def stop(self) -> "Deferred[None]":
        """Close all recordings behind what they were given, then the disk.

        :returns: fires when its thread has ended. Cancelling it stops nothing.
        """
        if not self._is_started:
            return succeed(None)
        self._health.closing()
        self._queue.close()
        return self._stopped.wait()

    def open_recording(
        self, details: RecordingDetails, *, start_us: int | None = None
    ) -> "Deferred[Recording]":
        """Begin a recording. Its files come into being with its first group.

        :param start_us: what its name says: UTC, microseconds since 1970; now, if not given.
        :returns: the recording. Cancelling it leaves a recording behind that has no files.
        :raises StorageError: as a failure: the disk cannot be used.
        """
        start_us = int(self._now() * 1e6) if start_us is None else start_us
        opened = self.put(OpenRecording(details, start_us))
        return opened.addCallback(lambda writer: Recording(self, writer))

    def catch_up(self) -> None:
        """Have the index know all that is durable; safe from any thread, raises nothing."""
        self._writer.catch_up()

    def wake_chore(self, name: str) -> None:
        """Let a chore have its next step at once."""
        self._chores.wake(name)

    def try_out(self) -> "Deferred[None]":
        """See whether a disk that is not well takes bytes: what it says of itself is what was last.

        :returns: fires when it was tried, and what the disk says of itself has followed. Cancelling
            it changes nothing on the disk.
        """

        def worked(_: object) -> None:
            self._health.stored()
            self._health.well()

        def failed(failure: Failure) -> None:
            error = failure.value
            if not isinstance(error, StorageError) or error.kind is not StorageErrorKind.CLOSED:
                self._health.failed(cast(Exception, error), is_of_all=True)

        return self.put(TryOut()).addCallbacks(worked, failed)

    def status(self) -> DiskStatus:
        """Tell how the disk is and what it has done."""
        load, space, busy_since = self._queue.load, self._writer.space, self._busy_since
        return DiskStatus(
            disk_id=self.disk_id,
            state=self.state,
            total_bytes=space.total_bytes,
            free_bytes=space.free_bytes,
            recordings=len(self._writer.recordings),
            queued_gops=load.gops,
            queued_bytes=load.size_bytes,
            written_gops=self._writer.written_gops,
            written_bytes=self._writer.written_bytes,
            dropped_gops=self.dropped_gops,
            failed_gops=self._failed_gops,
            last_error=self._health.last_error,
            chores=self._chores.report(),
            busy_seconds=0.0 if busy_since is None else self._monotonic() - busy_since,
            last_serial=self._writer.last_serial,
        )

    def offer(self, job: WriteGop, size_bytes: int) -> "Deferred[None] | StorageError":
        """Queue a group, or say why it is not taken."""
        if self._queue.is_closed:
            return self.error(StorageErrorKind.CLOSED, "the disk is closed")
        refusal = self._health.refusal()
        if refusal is not None:
            return refusal
        outcome: Deferred[None] = Deferred()
        if self._queue.offer(_Ticket(job, outcome), job.recording, size_bytes):
            return outcome
        return self._health.too_slow()

    def put(self, job: Job) -> "Deferred[Any]":
        """Queue a job without media; fails if the disk is closed."""
        outcome: Deferred[Any] = Deferred()
        if not self._is_started or not self._queue.put(_Ticket(job, outcome)):
            return fail(self.error(StorageErrorKind.CLOSED, "the disk is closed"))
        return outcome

    def error(self, kind: StorageErrorKind, message: str) -> StorageError:
        """Give an error of this disk."""
        return StorageError(kind, self.folder, message)

    def _deliver(self, tickets: list[_Ticket], outcomes: list[object]) -> None:
        """Tell what came of a batch."""
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        gops = [o for t, o in zip(tickets, outcomes, strict=True) if isinstance(t.job, WriteGop)]
        failed = sum(isinstance(outcome, Exception) for outcome in gops)
        self._failed_gops += failed
        if len(gops) > failed:
            self._health.stored()
        if errors:
            self._health.failed(errors[0], is_of_all=bool(gops) and failed == len(gops))
        elif gops:
            self._health.well()
        if self._writer.trouble is not None:
            self._health.failed(self._writer.trouble)
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if ticket.outcome.called:
                continue
            if isinstance(outcome, Exception):
                ticket.outcome.errback(Failure(outcome))
            else:
                ticket.outcome.callback(outcome)

    def _start_ended(self, unfinished: int) -> None:
        if unfinished:
            self.log.warn(
                "{disk}: {count} blocks and recordings were open when the recorder last stopped",
                disk=self.disk_id,
                count=unfinished,
            )
        last_serial = self._writer.last_serial
        if last_serial not in ("", self._serial):
            self.log.warn(
                "{disk} was used by the recorder {serial} before: its recordings stay, and new ones"
                " carry the serial number {own}",
                disk=self.disk_id,
                serial=last_serial,
                own=self._serial,
            )
        self.log.info("{disk} is open", disk=self.disk_id)
        self._health.opened()
        self._started.fire(None)

    def _start_failed(self, error: Exception) -> None:
        self._health.failed(error)
        self._started.fire(Failure(error))
        self._stopped.fire(None)

    def _stop_ended(self, error: Exception | None) -> None:
        if error is not None:
            self._health.failed(error)
        self.log.info("{disk} is closed", disk=self.disk_id)
        self._health.closed()
        self._stopped.fire(None)

    # The writer thread.

    def _run(self) -> None:
        """Be the writer thread."""
        call = self._reactor.callFromThread
        sync_threads = SyncThreads(self._start_thread, f"sync {self.disk_id}")
        self._writer.submit = sync_threads.submit
        try:
            unfinished = self._writer.start()
            premises = replace(self._writer.premises(), is_busy=self._is_busy)
            self._chores.start(premises, f"chores {self.disk_id}")
        except Exception as error:
            self._writer.abandon()
            self._queue.close()
            call(self._start_failed, error)
            self._refuse_queued(error)
            return
        call(self._start_ended, unfinished)
        while self.run_batch(wait=True):
            pass
        stop_error: Exception | None = None
        self._chores.stop()
        try:
            self._writer.stop()
        except Exception as error:
            stop_error = error
        sync_threads.stop()
        call(self._stop_ended, stop_error)

    def _is_busy(self) -> bool:
        """Tell whether more groups wait than come at a time; called in any thread."""
        return self._queue.load.gops > max(MIN_BUSY_GOPS, len(self._writer.recordings))

    def run_batch(self, *, wait: bool) -> bool:
        """Do everything that is queued; called in the writer thread only.

        :param wait: for something to be queued, or until there is something to do without that.
        :returns: False once the disk is to stop and nothing is queued.
        """
        tickets = self._queue.take(wait=wait, timeout=self._writer.index_delay())
        if tickets is None:
            return False
        outcomes: list[object]
        self._busy_since = self._monotonic()
        try:
            outcomes = self._writer.process(ticket.job for ticket in tickets)
        except Exception as error:  # the outermost frame of this thread
            self.log.failure("{disk}: a batch was not written", disk=self.disk_id)
            outcomes = [error] * len(tickets)
        self._busy_since = None
        self._queue.done()
        self._reactor.callFromThread(self._deliver, tickets, outcomes)
        return True

    def _refuse_queued(self, error: Exception) -> None:
        tickets = self._queue.take(wait=False) or []
        self._queue.done()
        outcomes: list[object] = [error] * len(tickets)
        self._reactor.callFromThread(self._deliver, tickets, outcomes)

    # The housekeeping thread.

    def _chore_failed(self, name: str, error: Exception) -> None:
        if isinstance(error, NvrError | OSError):
            self.log.error(
                "{disk}: {chore} did not work, it is tried again: {error}",
                disk=self.disk_id,
                chore=name,
                error=str(error),
            )
        else:
            self.log.failure(
                "{disk}: {chore} did not work", Failure(error), disk=self.disk_id, chore=name
            )
