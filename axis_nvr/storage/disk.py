"""A disk as the rest of the recorder sees it: Deferreds in front of a writer thread.

Theory of operation. File operations block, `fdatasync` for as long as the disk likes; so each disk
has one thread, and one disk that hangs stops no other. The reactor's thread puts whole groups into
a bounded queue; the writer thread takes everything that waits, writes, syncs and indexes it as one
batch (`axis_nvr.storage.writer`) and sends all outcomes back with one `callFromThread`.

When the queue is full, whole groups of the recording that asks are dropped
(`axis_nvr.storage.running_recording`).

Nothing here waits for the disk in the reactor's thread. A Deferred that is cancelled does not take
its job back: what was given is written; only the outcome is not told.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.storage.chore_thread import ChoreMaker, ChoreThread
from axis_nvr.storage.disk_status import DiskState, DiskStatus
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.once import Once
from axis_nvr.storage.queue import WriteQueue
from axis_nvr.storage.recording import RecordingDetails
from axis_nvr.storage.running_recording import Recording
from axis_nvr.storage.threads import StartThread, start_thread
from axis_nvr.storage.writer import DiskWriter, Job, OpenRecording, WriteGop


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
    :param state_changed: called in the reactor's thread when `state` has another value.
    :ivar state: how the disk is, by what was last tried.
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
        state_changed: Callable[[DiskState], None] | None = None,
    ) -> None:
        self.disk_id = disk_id
        self.folder = folder
        self.state = DiskState.STOPPED
        self.dropped_gops = 0
        self._reactor = reactor
        self._now = now
        self._start_thread = start_thread
        self._state_changed = state_changed
        self._failed_gops = 0
        self._last_error = ""
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
        self._is_started = False
        self._started, self._stopped = Once(), Once()

    # The reactor's thread.

    def start(self) -> "Deferred[None]":
        """Open the disk and start its thread.

        :returns: fires when recordings can be opened. Cancelling it stops nothing: call `stop`.
            A disk is started once; after `stop`, make another.
        :raises StorageError: as a failure: the disk cannot be used; `state` says how.
        """
        if not self._is_started:
            self._is_started = True
            self._start_thread(self._run, f"disk {self.disk_id}")
        return self._started.wait()

    def stop(self) -> "Deferred[None]":
        """Close all recordings behind what they were given, then the disk.

        :returns: fires when its thread has ended. Cancelling it stops nothing.
        """
        if not self._is_started:
            return succeed(None)
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

    def wake_chore(self, name: str) -> None:
        """Let a chore have its next step at once."""
        self._chores.wake(name)

    def status(self) -> DiskStatus:
        """Tell how the disk is and what it has done."""
        load, space = self._queue.load, self._writer.space
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
            last_error=self._last_error,
            chores=self._chores.report(),
        )

    def offer(self, job: WriteGop, size_bytes: int) -> "Deferred[None] | None":
        """Queue a group; None if there is no room for it."""
        outcome: Deferred[None] = Deferred()
        is_taken = self._queue.offer(_Ticket(job, outcome), job.recording, size_bytes)
        return outcome if is_taken else None

    def put(self, job: Job) -> "Deferred[Any]":
        """Queue a job without media; fails if the disk is stopped."""
        outcome: Deferred[Any] = Deferred()
        if not self._is_started or not self._queue.put(_Ticket(job, outcome)):
            return fail(self.error("the disk is not running"))
        return outcome

    def error(self, message: str) -> StorageError:
        """Give an error of this disk."""
        return StorageError(StorageErrorKind.FAILED, self.folder, message)

    def _deliver(self, tickets: list[_Ticket], outcomes: list[object]) -> None:
        """Tell what came of a batch."""
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._note_error(outcome, is_gop=isinstance(ticket.job, WriteGop))
            elif isinstance(ticket.job, WriteGop):
                self._set_state(DiskState.OK)
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if ticket.outcome.called:
                continue
            if isinstance(outcome, Exception):
                ticket.outcome.errback(Failure(outcome))
            else:
                ticket.outcome.callback(outcome)

    def _note_error(self, error: Exception, *, is_gop: bool = False) -> None:
        self._failed_gops += is_gop
        words = str(error)
        kind = error.kind if isinstance(error, StorageError) else StorageErrorKind.FAILED
        if words != self._last_error or self.state != kind.value:
            self.log.critical("{disk}: {error}", disk=self.disk_id, error=words)
        self._last_error = words
        self._set_state(DiskState(kind.value))

    def _set_state(self, state: DiskState) -> None:
        if state is self.state:
            return
        self.log.info("{disk} is {state}", disk=self.disk_id, state=state.value)
        self.state = state
        if self._state_changed is not None:
            self._state_changed(state)

    def _start_ended(self, settled: list[str]) -> None:
        if settled:
            self.log.warn(
                "{disk}: {count} recordings were open when the recorder last stopped",
                disk=self.disk_id,
                count=len(settled),
            )
        self._set_state(DiskState.OK)
        self._started.fire(None)

    def _start_failed(self, error: Exception) -> None:
        self._note_error(error)
        self._started.fire(Failure(error))
        self._stopped.fire(None)

    def _stop_ended(self, error: Exception | None) -> None:
        if error is not None:
            self._note_error(error)
        self._set_state(DiskState.STOPPED)
        self._stopped.fire(None)

    # The writer thread.

    def _run(self) -> None:
        """Be the writer thread."""
        call = self._reactor.callFromThread
        try:
            settled = self._writer.start()
            self._chores.start(self._writer.premises(), f"chores {self.disk_id}")
        except Exception as error:
            self._writer.abandon()
            self._queue.close()
            call(self._start_failed, error)
            self._refuse_queued(error)
            return
        call(self._start_ended, settled)
        while self.run_batch(wait=True):
            pass
        stop_error: Exception | None = None
        self._chores.stop()
        try:
            self._writer.stop()
        except Exception as error:
            stop_error = error
        call(self._stop_ended, stop_error)

    def run_batch(self, *, wait: bool) -> bool:
        """Do everything that is queued; called in the writer thread only.

        :param wait: for something to be queued.
        :returns: False once the disk is to stop and nothing is queued.
        """
        tickets = self._queue.take(wait=wait)
        if tickets is None:
            return False
        outcomes: list[object]
        try:
            outcomes = self._writer.process(ticket.job for ticket in tickets)
        except Exception as error:  # the outermost frame of this thread
            self.log.failure("{disk}: a batch was not written", disk=self.disk_id)
            outcomes = [error] * len(tickets)
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
