"""A small disk of memory on which recordings are made and removed."""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, cast

from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding
from axis_nvr.storage.files import Space
from axis_nvr.storage.housekeeping import Chore, Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.locks import Locks
from axis_nvr.storage.recording import RecordingDetails, RecordingWriter
from axis_nvr.storage.retention.chore import Retention
from axis_nvr.storage.retention.policy import Rules
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.medium import Medium
from tests.storage.faults.recovery import CHORES
from tests.storage.making import START_US, Bench, Digits, video_gop

FOLDER = Path("/media/HDD_DISK")
SECOND = 1_000_000
#: Blocks begin so far apart: each is cut by the hole before the next.
SPACING_US = 600 * SECOND
#: More steps than any disk of these tests asks for.
MAX_STEPS = 2000


class RoomyFiles(FaultFiles):
    """A disk of memory that has only so much room, counted in what the blocks' media take.

    :ivar total_bytes: how large it is.
    """

    total_bytes = 1 << 30

    def space(self, path: Path) -> Space:
        """See `axis_nvr.storage.files.IFiles`."""
        self._call("space", path)
        return Space(self.total_bytes, max(0, self.total_bytes - self.used_bytes()))

    def used_bytes(self) -> int:
        """What the blocks' media take."""
        return sum(len(data) for name, data in self.files().items() if name.endswith(".mkv"))

    def files(self) -> dict[str, bytes]:
        """All files below the disk's folder, by name."""
        found: dict[str, bytes] = {}
        todo = [self._find(FOLDER)] if self.exists(FOLDER) else []
        while todo:
            for name, inode in self._names[todo.pop()].items():
                if self._names[inode] or not self._data[inode]:
                    todo.append(inode)
                else:
                    found[name] = bytes(self._data[inode])
        return found


class SmallDisk:
    """A recorder's disk, and what goes on at it.

    :param medium: what it begins with.
    :ivar now: the UTC clock, seconds since 1970.
    """

    def __init__(self, medium: Medium | None = None, digits: int = 0xA000) -> None:
        self.files = RoomyFiles(medium)
        bench = Bench(str(FOLDER), cast(Any, self.files))
        bench.disk._digits = Digits(digits)
        bench.disk._now = lambda: self.now
        self.now = START_US / 1e6
        self.monotonic_seconds = 1e6
        self.bench = bench
        bench.disk.start()
        self.index = Index.join(self.files, FOLDER / INDEX_NAME)
        for make in CHORES:
            self.finish(make(self.premises()))
        self.locks = Locks(self.files, FOLDER, self.index, lambda: self.now)
        self.retention: Retention | None = None

    def finish(self, chore: Chore) -> None:
        """Let a chore do all that there is to do at once."""
        for _ in range(MAX_STEPS):
            if chore.step() != 0:
                return
        raise AssertionError(f"{chore.name} does not end")

    def end(self) -> None:
        """Let go of the disk, as after a stop or a crash."""
        self.index.close()
        self.files.unmount()

    def begin(self, group: str = "", at_us: int = START_US) -> RecordingWriter:
        """Begin a recording."""
        return self.bench.open(RecordingDetails("front", "fps=25", group=group), at_us)

    def write(self, recording: RecordingWriter, at_us: int, frames: int = 4) -> None:
        """Write a block; it is closed when the next begins, or the recording ends."""
        (outcome,) = self.bench.write(recording, video_gop(at_us, frames=frames))
        if outcome is not None:
            raise AssertionError(outcome)
        self.bench.tell_index()

    def record(self, blocks: int, group: str = "", at_us: int = START_US) -> str:
        """Make a recording of so many blocks that has ended; give its id."""
        recording = self.begin(group, at_us)
        for number in range(blocks):
            self.write(recording, at_us + number * SPACING_US)
        if self.bench.close(recording) is not None:
            raise AssertionError("not closed")
        return recording.recording_id

    def running(self) -> Container[str]:
        """The ids of what is being recorded."""
        return frozenset(self.bench.disk.recordings)

    def premises(self) -> Premises:
        """What chores work with."""
        return Premises(
            cast(Any, self.files),
            FOLDER,
            self.index,
            lambda: self.now,
            self.running,
            catch_up=self.bench.disk.catch_up,
        )

    def retain(self, rules: Rules) -> Retention:
        """Have the chore do all that there is to do now."""
        if self.retention is None or self.retention._rules is not rules:
            self.retention = Retention(self.premises(), rules, lambda: self.monotonic_seconds)
        for _ in range(MAX_STEPS):
            delay = self.retention.step()
            if delay is None or delay >= 1.0:
                return self.retention
            self.monotonic_seconds += delay
        raise AssertionError("the chore does not end")

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
        self.monotonic_seconds += seconds

    def blocks(self) -> list[str]:
        """The ids of all blocks, oldest first."""
        return [
            row[0] for row in self.index.query("SELECT filename FROM blocks ORDER BY starttime")
        ]

    def media(self) -> list[str]:
        """The ids of all blocks whose media is there, by name."""
        return sorted(name[:-4] for name in self.files.files() if name.endswith(".mkv"))

    def findings(self) -> Sequence[str]:
        """What our own check finds."""
        check = DiskCheck(cast(Any, self.files), FOLDER, self.index, wait=lambda seconds: None)
        return [str(found) for found in check.run() if isinstance(found, Finding)]
