"""How a disk is, by what came of what was last tried, and what is done about it.

A disk that is full rests (`axis_nvr.storage.rest`) until room is made. One whose folder or index is
not the one that was opened, or of which nothing is stored for long, is broken: nothing heals it but
to be closed and opened again. One that was too slow is well again by itself.

All of it is for the reactor's thread.
"""

from collections.abc import Callable
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.disk_status import DiskState, IDiskObserver
from axis_nvr.storage.rest import Rest

#: What nothing heals but closing the disk and opening it again: its folder or its index is not the
#: one that was opened, or it refuses to be written as a file system does that found an error.
REOPENED = frozenset(
    {StorageErrorKind.ABSENT, StorageErrorKind.READ_ONLY, StorageErrorKind.CORRUPT}
)
#: So many batches in a row of which nothing was stored, for whatever reason but a full disk, and it
#: is closed and opened again too.
MAX_FAILED_BATCHES = 5
#: A disk counts as slow until it has not refused a group for so long, in seconds.
SLOW_SECONDS = 10.0


class DiskHealth:
    """How one disk is.

    :param monotonic: a clock that never steps, in seconds.
    :param make_room: called when the disk is full.
    :ivar state: how it is, by what was last tried.
    :ivar observer: hears of it.
    :ivar last_error: in words, empty if there was none.
    """

    def __init__(
        self,
        folder: Path,
        monotonic: Callable[[], float],
        make_room: Callable[[], None],
    ) -> None:
        self.state = DiskState.STOPPED
        self.observer: IDiskObserver | None = None
        self.last_error = ""
        self._folder = folder
        self._monotonic = monotonic
        self._make_room = make_room
        self._rest = Rest()
        self._slow_until = 0.0
        self._is_open = False
        self._is_over = False

    def opened(self) -> None:
        """Take note that the disk is open."""
        self._is_open = True
        self._set_state(DiskState.OK)

    def closing(self) -> None:
        """Take note that the disk is to be closed: nobody need hear that it is broken."""
        self._is_over = True

    def closed(self) -> None:
        """Take note that the disk is closed."""
        self._set_state(DiskState.STOPPED)

    def refusal(self) -> StorageError | None:
        """Give the error that a group is refused with untried; None if it is to be tried."""
        return self._rest.refusal(self._monotonic())

    def stored(self) -> None:
        """Take note that something was stored."""
        self._rest.worked()

    def well(self) -> None:
        """Take note that nothing went wrong; the disk may still be slow."""
        if self._monotonic() >= self._slow_until:
            self._set_state(DiskState.OK)

    def too_slow(self) -> StorageError:
        """Take note that there is no room in the queue; give the error for what is refused."""
        self._slow_until = self._monotonic() + SLOW_SECONDS
        message = "the disk is too slow for what it is given"
        error = StorageError(StorageErrorKind.SLOW, self._folder, message)
        self._set_state(DiskState.SLOW, str(error))
        return error

    def failed(self, exception: Exception, *, is_of_all: bool = False) -> None:
        """Take note of what went wrong, and do what may heal it.

        :param is_of_all: no group of a batch was stored.
        """
        error = exception
        if not isinstance(error, StorageError):
            message = f"an error inside the recorder: {error!r}"
            error = StorageError(StorageErrorKind.FAILED, self._folder, message)
        self.last_error = str(error)
        self._set_state(DiskState.of(error.kind), str(error))
        if is_of_all:
            self._rest.failed(error, self._monotonic())
        if error.kind is StorageErrorKind.FULL:
            self._make_room()
        elif error.kind in REOPENED or self._rest.failures >= MAX_FAILED_BATCHES:
            self._break()

    def _break(self) -> None:
        if self._is_open and not self._is_over:
            self._is_over = True
            if self.observer is not None:
                self.observer.broken()

    def _set_state(self, state: DiskState, words: str = "") -> None:
        if state is self.state:
            return
        self.state = state
        if self.observer is not None:
            self.observer.state_changed(state, words)
