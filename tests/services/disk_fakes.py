"""A disk to keep, and who hears of its disruptions."""

from dataclasses import replace
from pathlib import Path

from twisted.internet.defer import Deferred, succeed

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.disruption import Disruption
from axis_nvr.storage.disk_status import DiskState, DiskStatus, IDiskObserver
from axis_nvr.storage.recording import RecordingDetails

DETAILS = RecordingDetails("front", "fps=25")
LOCKED = StorageError(StorageErrorKind.LOCKED, Path("/disk"), "another recorder uses it")


class FakeDisk:
    disk_id = "HDD_DISK"
    folder = Path("/disk")

    def __init__(self) -> None:
        self.starting: Deferred[None] = Deferred()
        self.is_known = False
        self.opened: list[RecordingDetails] = []
        self.named_from: list[int | None] = []
        self.stopped = False
        self.trials = 0
        self.state = DiskState.STOPPED
        self.error = ""
        self.written_gops = 0
        self.busy_seconds = 0.0
        self.observer: IDiskObserver | None = None

    def say(self, state: DiskState, words: str = "") -> None:
        """Tell the keeper how it is."""
        self.state, self.error = state, words
        assert self.observer is not None
        self.observer.state_changed(state, words)

    def break_down(self) -> None:
        """Tell the keeper that it must be opened again."""
        assert self.observer is not None
        self.observer.broken()

    def start(self, *, is_known: bool = False) -> Deferred[None]:
        self.is_known = is_known
        return self.starting

    def stop(self) -> Deferred[None]:
        self.stopped = True
        return succeed(None)

    def open_recording(
        self, details: RecordingDetails, *, start_us: int | None = None
    ) -> Deferred[str]:
        self.opened.append(details)
        self.named_from.append(start_us)
        return succeed(f"recording {len(self.opened)}")

    def try_out(self) -> Deferred[None]:
        self.trials += 1
        return succeed(None)

    def status(self) -> DiskStatus:
        done = self.written_gops
        status = DiskStatus("HDD_DISK", self.state, 100, 40, 0, 3, 700, done, 0, 0, 0, self.error)
        return replace(status, busy_seconds=self.busy_seconds)


class Heard:
    """Remembers what it is told: an `IDisruptionObserver`."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def disruption_began(self, disruption: Disruption) -> None:
        self.heard.append(f"{disruption.disk_id} {disruption.state.value}: {disruption.words}")

    def disruption_ended(self, disk_id: str) -> None:
        self.heard.append(f"{disk_id} well")
