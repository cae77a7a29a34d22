"""A disk that is to be used: started, tried again while it cannot be, stopped.

A folder that is not mounted yet, or that another recorder holds, is no reason to give up:
recordings wait until the disk is there, and the page says why they do. A disk that breaks while it
is in use is closed and opened again, with waits that double, until it works. A disk that hangs
cannot even be closed: it goes on by itself, or a person must see to it.

A disk may be held: a person has unmounted or locked it, or it is being worked on. It is then closed
like at the end, nothing is written to it or removed from it, and its recordings wait until the last
hold is released. One that is only locked can be read meanwhile.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.services.disk_holds import Hold, is_only_locked, told
from axis_nvr.services.disk_trouble import DiskTrouble
from axis_nvr.services.disk_users import DiskUsers
from axis_nvr.services.disruption import Disruption, IDisruptionObserver
from axis_nvr.services.failure_log import LastSaid
from axis_nvr.services.status import DiskReport
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.once import Once
from axis_nvr.storage.recording import RecordingDetails

#: The first wait after a disk could not be started, in seconds; it doubles up to the longest.
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
#: A write that takes longer is told of, in seconds.
HANGING_SECONDS = 10.0


class IDiskMemory(Protocol):
    """What is remembered of a disk.

    :ivar is_known: it was in use before: an empty folder is only where it was mounted.
    """

    is_known: bool


class ShortMemory:
    """Remembers a disk until the recorder ends: an `IDiskMemory`."""

    is_known = False


class DiskKeeper:
    """Keeps one disk going.

    :param make_disk: makes it; a disk that could not be started, or broke, is not used again.
    :param observers: hear of disruptions.
    :param admit: asked before each start whether the disk may be used; fires if it may, errback
        `StorageError` if not, as with one that is to be encrypted and is not.
    :param memory: remembers it.
    :ivar holds: why it is not to be used; empty: it is.
    :ivar users: who else uses it.
    """

    log = Logger()

    def __init__(
        self,
        make_disk: Callable[[], Disk],
        clock: IReactorTime,
        observers: Sequence[IDisruptionObserver] = (),
        admit: Callable[[], "Deferred[None]"] = lambda: succeed(None),
        memory: IDiskMemory | None = None,
    ) -> None:
        self.holds: set[Hold] = set()
        self._make_disk = make_disk
        self._clock = clock
        self._admit = admit
        self._disk = disk = make_disk()
        disk.observer = self
        self.users = DiskUsers(disk.disk_id, disk.folder)
        self._trouble = DiskTrouble(disk.disk_id, clock, observers)
        self._last_bug = LastSaid(clock)
        self._memory = ShortMemory() if memory is None else memory
        self._is_ready = False
        self._is_running = False
        self._is_wanted = False
        self._attempt = 0
        self._error = ""
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._timer: IDelayedCall | None = None
        self._gone: Once | None = None
        self._trying: list[Deferred[None]] = []
        self._waiting: list[tuple[Deferred[Any], RecordingDetails, int | None]] = []

    def start(self) -> None:
        """Start the disk, now or as soon as it can be."""
        self._is_running = True
        self._begin()
        self._show()

    def stop(self) -> "Deferred[None]":
        """End all recordings, then let go of the disk; fires when that is done."""
        self._is_running = False
        self.refuse_waiting("the recorder stops")
        return self.users.unlocked(self._let_go(), comes_back=False)

    def refuse_waiting(self, words: str, wish: "Deferred[Any] | None" = None) -> None:
        """Let nobody wait any longer for the disk to be ready.

        :param wish: of `open_recording`: only who has it waits no longer, if it still does.
        """
        refused = [entry[0] for entry in self._waiting if wish in (None, entry[0])]
        self._waiting = [entry for entry in self._waiting if entry[0] not in refused]
        for opened in refused:
            opened.errback(StorageError(StorageErrorKind.ABSENT, self._disk.folder, words))

    def hold(self, why: Hold) -> "Deferred[None]":
        """Let go of the disk, and leave it alone until `release`.

        :returns: fires when nothing of it is open any more. Cancelling it changes nothing: the disk
            is let go of all the same.
        """
        self.holds.add(why)
        is_lock = is_only_locked(self.holds)
        gone = self._let_go(comes_back=is_lock)
        if self._gone is not None:
            self._gone.wait().addCallback(lambda _: self._show())
        self._tell_hold()
        return gone if is_lock else self.users.unlocked(gone, comes_back=False)

    def release(self, why: Hold) -> "Deferred[None]":
        """Use the disk again, unless it is held for another reason.

        :returns: fires when it is in use, or at once if it is not to be; errback `StorageError` if
            it cannot be used: it is tried again. Cancelling it changes nothing.
        """
        self.holds.discard(why)
        self._tell_hold()
        self._show()
        if not self._is_running or self.holds or self._is_ready:
            return succeed(None)
        tried: Deferred[None] = Deferred(self._trying.remove)
        self._trying.append(tried)
        if self._timer is not None:  # it is being tried already, now and then
            self._timer.cancel()
            self._again()
        self._begin()
        return tried

    @property
    def is_mounted(self) -> bool:
        """Whether the disk is in use, or would be if it were not locked."""
        return self._is_ready or is_only_locked(self.holds)

    @property
    def refusal(self) -> str:
        """Why nothing is written to it or removed from it before it is released; empty: it is."""
        hold = told(self.holds)
        return "" if hold is None else hold.words

    @property
    def disruption(self) -> Disruption | None:
        """Why recordings are being lost now; None: they are not."""
        return self._trouble.disruption

    def forget(self) -> None:
        """Take what is there next for a disk even if nothing is on it: it was formatted."""
        self._memory.is_known = False

    def catch_up(self) -> None:
        """Have the disk's index know all that is durable, for who reads it; from any thread."""
        self._disk.catch_up()

    def wake_chore(self, name: str) -> None:
        """Let a chore of the disk have its next step at once, if the disk is in use."""
        if self._is_ready:
            self._disk.wake_chore(name)

    def _tell_hold(self) -> None:
        hold = told(self.holds)
        if hold is not None:
            self._trouble.began(hold.state, hold.words, is_held=True)

    def _begin(self) -> None:
        """Start the disk, once it has been let go of."""
        if self._is_wanted or not self._is_running or self.holds:
            return
        self._is_wanted = True
        self.users.unlocked(succeed(None), comes_back=True)
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._trouble.opening()
        if self._gone is None:
            self._try()
            return
        attempt = self._attempt
        self._gone.wait().addCallback(lambda _: self._again() if attempt == self._attempt else None)

    def _show(self) -> None:
        """Let others read a disk that is locked, and closed by now."""
        is_closed = self._gone is None or self._gone.has_happened
        if is_only_locked(self.holds) and self._is_running and is_closed:
            self.users.locked()

    def _let_go(self, *, comes_back: bool = False) -> "Deferred[None]":
        """Close the disk, whatever it is at; fires when it is closed."""
        if self._is_wanted:
            self._is_wanted = self._is_ready = False
            self._trouble.rest()
            self._attempt += 1
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._tell_tried(StorageErrorKind.CLOSED, "it was let go of")
            if self._gone is None or self._gone.has_happened:
                self._gone = gone = Once()
                closing = [self._disk.stop(), *self.users.closing(comes_back=comes_back)]
                DeferredList(closing, consumeErrors=True).addBoth(lambda _: gone.fire(None))
        elif self._gone is None:  # it was never started
            return succeed(None)
        return self._gone.wait()

    def _tell_tried(self, kind: StorageErrorKind | None = None, words: str = "") -> None:
        """Tell those who wait for the disk to be used that it is, or why it is not."""
        trying, self._trying = self._trying, []
        for tried in trying:
            if kind is None:
                tried.callback(None)
            else:
                tried.errback(StorageError(kind, self._disk.folder, words))

    def open_recording(
        self, details: RecordingDetails, *, start_us: int | None = None
    ) -> "Deferred[Any]":
        """Begin a recording, as soon as the disk is ready.

        :param start_us: what its name says: UTC, microseconds since 1970; when it is begun, if not
            given.
        :returns: the recording; errback `StorageError`. Cancelling it is for those who do not want
            it any more: a disk that is not ready is then not asked.
        """
        if self._is_ready:
            return self._disk.open_recording(details, start_us=start_us)
        opened: Deferred[Any] = Deferred(self._forget)
        self._waiting.append((opened, details, start_us))
        return opened

    # IDiskObserver

    def state_changed(self, state: DiskState, words: str) -> None:
        """Tell of disruptions that begin or end."""
        if state is DiskState.OK:
            if not self.holds:
                self._trouble.ended()
        elif state is DiskState.STOPPED:
            return
        elif self._is_wanted:
            self._trouble.began(state, words)
            if self._is_ready:
                self._trouble.try_out(self._disk)
        else:  # nobody hears of disruptions of a disk that is let go of
            self.log.critical(
                "{disk}: while it was closed: {error}", disk=self._disk.disk_id, error=words
            )

    def broken(self) -> None:
        """Close the disk and open it again."""
        if not self._is_ready:
            return
        status = self._disk.status()
        self._is_ready, self._error = False, status.last_error
        self._trouble.rest()
        if status.written_gops:  # it was well for a while
            self._wait_seconds = FIRST_WAIT_SECONDS
        attempt = self._attempt
        self.users.closing(comes_back=True)
        self._disk.stop().addBoth(lambda _: self._try_later(attempt))

    # Below: how it is, and starting.

    @property
    def report(self) -> DiskReport:
        """How the disk is."""
        status, disruption = self._disk.status(), self.disruption
        state: DiskState | str = status.state
        hold = told(self.holds)
        if hold is not None:
            state = hold.word
        elif state is DiskState.STOPPED and self._is_wanted:
            state = "starting"
            if disruption is not None and disruption.state is not DiskState.STOPPED:
                state = disruption.state
        error = self._error if disruption is None else disruption.words
        if status.busy_seconds >= HANGING_SECONDS:
            error = f"it has not finished a write for {status.busy_seconds:.0f} s"
        mounted = disruption.state if disruption is not None else status.state
        return DiskReport(
            disk=self._disk.disk_id,
            folder=str(self._disk.folder),
            state=str(state),
            condition="OK" if is_only_locked(self.holds) else mounted.condition,
            is_full=mounted is DiskState.FULL,
            is_read_only=mounted is DiskState.READ_ONLY,
            is_locked=mounted is DiskState.LOCKED,
            free_bytes=status.free_bytes,
            total_bytes=status.total_bytes,
            queued=status.queued_gops,
            queued_bytes=status.queued_bytes,
            error=error,
            last_serial=status.last_serial,
            chores=status.chores,
        )

    def _try(self) -> None:
        self._timer = None
        attempt = self._attempt
        opening = self._admit().addErrback(self._refused, attempt)
        opening.addCallback(self._open_disk, attempt)
        opening.addCallbacks(
            self._started, self._failed, callbackArgs=(attempt,), errbackArgs=(attempt,)
        )

    def _refused(self, failure: Failure, attempt: int) -> Failure:
        if isinstance(failure.value, StorageError) and attempt == self._attempt:
            self.state_changed(DiskState.of(failure.value.kind), str(failure.value))
        return failure

    def _open_disk(self, _: object, attempt: int) -> "Deferred[None]":
        if not self._is_wanted or attempt != self._attempt:  # stopped while it was asked
            return fail(StorageError(StorageErrorKind.CLOSED, self._disk.folder, "not wanted"))
        return self._disk.start(is_known=self._memory.is_known)

    def _started(self, _: object, attempt: int) -> None:
        if not self._is_wanted or attempt != self._attempt:
            return
        self._memory.is_known = self._is_ready = True
        self._error = ""
        waiting, self._waiting = self._waiting, []
        for opened, details, start_us in waiting:
            self._disk.open_recording(details, start_us=start_us).chainDeferred(opened)
        self.users.opened()
        self._tell_tried()

    def _failed(self, failure: Failure, attempt: int) -> None:
        if attempt != self._attempt:
            return
        if failure.check(NvrError, OSError):
            self._error = failure.getErrorMessage()
        else:
            self._error = "an error inside the recorder; see its log"
            if self._last_bug.is_due(repr(failure.value)):
                self.log.failure("while {disk} started", failure, disk=self._disk.disk_id)
        kind = getattr(failure.value, "kind", StorageErrorKind.FAILED)
        self._tell_tried(kind, getattr(failure.value, "message", self._error))
        self._try_later(attempt)

    def _try_later(self, attempt: int) -> None:
        if not self._is_wanted or attempt != self._attempt:
            return
        self._timer = self._clock.callLater(self._wait_seconds, self._again)
        self._wait_seconds = min(2 * self._wait_seconds, LONGEST_WAIT_SECONDS)

    def _again(self) -> None:
        self._disk = self._make_disk()
        self._disk.observer = self
        self._try()

    def _forget(self, cancelled: "Deferred[Any]") -> None:
        self._waiting = [entry for entry in self._waiting if entry[0] is not cancelled]
