"""Disks on the shelves of a library, without threads: what is asked is answered at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from axis_nvr.services.library import Library
from axis_nvr.storage.errands import NAME, Errands
from axis_nvr.storage.housekeeping import Chore, Premises
from axis_nvr.storage.recording import RecordingDetails, RecordingWriter
from tests.storage.making import DETAILS, Bench, Digits, video_gop
from tests.storage.reading.streams import UnsyncedFiles


class AtOnce:
    """A reactor whose threads are all this one."""

    def callFromThread(self, function: Any, *arguments: object) -> None:  # noqa: N802
        function(*arguments)


class ShelvedDisk:
    """A disk that is written to, and its chore.

    :ivar woken: chores that were woken, apart from the errands.
    """

    def __init__(self, folder: Path, disk_id: str, first_digits: int) -> None:
        self.disk_id = disk_id
        self.bench = Bench(str(folder), UnsyncedFiles(), is_told=False)
        self.bench.disk._digits = Digits(first_digits)
        self.woken: list[str] = []
        reactor: Any = AtOnce()
        self.errands = Errands(reactor, folder, self.wake)
        self._chore: Chore | None = None
        self._premises: Premises | None = None

    def wake(self, name: str) -> None:
        if name != NAME:
            self.woken.append(name)
            return
        while self._chore is not None and self._chore.step() == 0.0:
            pass

    def start(self) -> None:
        self.bench.disk.start()
        self._premises = self.bench.disk.premises()
        self._chore = self.errands.chore(self._premises)

    def stop(self) -> None:
        if self._premises is not None:
            self._premises.index.close()
            self._premises = self._chore = None
            self.bench.disk.stop()

    @property
    def premises(self) -> Premises:
        """What an errand works with; the index knows all by then."""
        assert self._premises is not None
        self._premises.catch_up()
        return self._premises

    def open(self, start_us: int, details: RecordingDetails = DETAILS) -> RecordingWriter:
        """Begin a recording, two seconds of it."""
        writer = self.bench.open(details, start_us)
        self.bench.write(writer, video_gop(start_us))
        return writer

    def record(self, start_us: int, details: RecordingDetails = DETAILS) -> str:
        """Record two seconds, and end it."""
        writer = self.open(start_us, details)
        self.bench.close(writer)
        return writer.recording_id


class Shelves:
    """Disks and the library that has them.

    :ivar disks: by id.
    """

    def __init__(self, folder: str, names: Sequence[str] = ("HDD_DISK", "SD_DISK")) -> None:
        path = Path(folder)
        path.mkdir()
        self.disks = {
            name: ShelvedDisk(path / name, name, 0x1000 * (at + 1)) for at, name in enumerate(names)
        }
        errands = {name: disk.errands for name, disk in self.disks.items()}
        in_thread: Any = maybeDeferred
        self.library = Library(UnsyncedFiles(), errands, in_thread)

    def open(self) -> None:
        """Open all disks."""
        for name in self.disks:
            self.put(name)

    def put(self, name: str) -> None:
        """Open a disk."""
        disk = self.disks[name]
        disk.start()
        self.library.disk_opened(name, disk.bench.folder)

    def take(self, name: str, *, comes_back: bool = False) -> "Deferred[None]":
        """Let go of a disk."""
        closed = self.library.disk_closing(name, comes_back=comes_back)
        self.disks[name].stop()
        return closed

    def close(self) -> None:
        """Let go of all disks."""
        for name in self.disks:
            self.take(name)
