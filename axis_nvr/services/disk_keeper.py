"""A disk that is to be used: started, tried again while it cannot be, stopped.

A folder that is not mounted yet, or that another recorder holds, is no reason to give up:
recordings wait until the disk is there, and the page says why they do.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.services.status import DiskReport
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.recording import RecordingDetails

#: The first wait after a disk could not be started, in seconds; it doubles up to the longest.
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0


class DiskKeeper:
    """Keeps one disk going.

    :param make_disk: makes it; a disk that could not be started is not used again.
    """

    log = Logger()

    def __init__(self, make_disk: Callable[[], Disk], clock: IReactorTime) -> None:
        self._make_disk = make_disk
        self._clock = clock
        self._disk = make_disk()
        self._is_ready = False
        self._is_wanted = False
        self._error = ""
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._timer: IDelayedCall | None = None
        self._waiting: list[tuple[Deferred[Any], RecordingDetails]] = []

    def start(self) -> None:
        """Start the disk, now or as soon as it can be."""
        self._is_wanted = True
        self._try()

    def stop(self) -> "Deferred[None]":
        """End all recordings, then let go of the disk; fires when that is done."""
        self._is_wanted = self._is_ready = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for opened, _ in waiting:
            opened.errback(
                StorageError(StorageErrorKind.ABSENT, self._disk.folder, "the recorder stops")
            )
        return self._disk.stop()

    def open_recording(self, details: RecordingDetails) -> "Deferred[Any]":
        """Begin a recording, as soon as the disk is ready.

        :returns: the recording; errback `StorageError`. Cancelling it is for those who do not want
            it any more: a disk that is not ready is then not asked.
        """
        if self._is_ready:
            return self._disk.open_recording(details)
        opened: Deferred[Any] = Deferred(self._forget)
        self._waiting.append((opened, details))
        return opened

    @property
    def report(self) -> DiskReport:
        """How the disk is."""
        status = self._disk.status()
        error = self._error
        if self._is_ready and status.state is not DiskState.OK:
            error = status.last_error or status.state
        starting = status.state is DiskState.STOPPED and self._is_wanted and not error
        return DiskReport(
            disk=self._disk.disk_id,
            folder=str(self._disk.folder),
            state="starting" if starting else status.state,
            free_bytes=status.free_bytes,
            total_bytes=status.total_bytes,
            queued=status.queued_gops,
            queued_bytes=status.queued_bytes,
            error=error,
        )

    def _try(self) -> None:
        self._timer = None
        self._disk.start().addCallbacks(self._started, self._failed)

    def _started(self, _: object) -> None:
        if not self._is_wanted:
            return
        self._is_ready, self._error = True, ""
        self._wait_seconds = FIRST_WAIT_SECONDS
        waiting, self._waiting = self._waiting, []
        for opened, details in waiting:
            self._disk.open_recording(details).chainDeferred(opened)

    def _failed(self, failure: Failure) -> None:
        if failure.check(NvrError, OSError):
            self._error = failure.getErrorMessage()
        else:
            self._error = "an error inside the recorder; see its log"
            self.log.failure("while {disk} started", failure, disk=self._disk.disk_id)
        if not self._is_wanted:
            return
        self.log.error(
            "{disk}: cannot be used, tried again in {delay:g} s: {error}",
            disk=self._disk.disk_id,
            delay=self._wait_seconds,
            error=self._error,
        )
        self._timer = self._clock.callLater(self._wait_seconds, self._again)
        self._wait_seconds = min(2 * self._wait_seconds, LONGEST_WAIT_SECONDS)

    def _again(self) -> None:
        self._disk = self._make_disk()
        self._try()

    def _forget(self, cancelled: "Deferred[Any]") -> None:
        self._waiting = [entry for entry in self._waiting if entry[0] is not cancelled]
