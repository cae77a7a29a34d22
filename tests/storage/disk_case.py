"""A disk whose writer thread is called by hand."""

from collections.abc import Callable
from datetime import UTC
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import Gap
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.running_recording import Recording
from tests.storage.making import DETAILS, SERIAL, START_US, Digits, FailingFiles


class Inline:
    """A reactor that calls at once what another thread asks it to."""

    def callFromThread(self, f: Callable[..., object], *args: object) -> None:  # noqa: N802
        f(*args)


class DiskCase(SynchronousTestCase):
    """The writer thread is called by hand: `batch` does what it would do."""

    def setUp(self) -> None:
        self.files = FailingFiles()
        self.folder = Path(self.mktemp()) / "HDD_DISK"
        self.states: list[DiskState] = []
        self.seconds = 0.0
        self.times_broken = 0
        self.disk = Disk(
            "HDD_DISK",
            self.folder,
            SERIAL,
            reactor=Inline(),  # type: ignore[arg-type]
            files=self.files,
            now=lambda: START_US / 1e6,
            zone=UTC,
            digits=Digits(),
            monotonic=lambda: self.seconds,
            start_thread=lambda run, name: None,
        )
        self.disk.observer = self
        self.started = self.disk.start()
        self.disk._start_ended(self.disk._writer.start())
        self.addCleanup(self.stop)

    def state_changed(self, state: DiskState, words: str) -> None:
        self.states.append(state)

    def broken(self) -> None:
        self.times_broken += 1

    def stop(self) -> None:
        if self.disk._writer._place is not None:
            self.batch()
            self.disk._writer.stop()

    def batch(self) -> None:
        self.disk.run_batch(wait=False)

    def open(self) -> Recording:
        opened = self.disk.open_recording(DETAILS)
        self.batch()
        return self.successResultOf(opened)

    def gaps(self, recording_id: str) -> list[Gap]:
        index = Index.open_read_only(Files(), self.folder / "index.db")
        try:
            return list(index.gaps(recording_id))
        finally:
            index.close()
