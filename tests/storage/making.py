"""Units, groups and disks for the storage's tests."""

import errno
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from threading import Lock
from typing import Any

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, Format, Gap, VideoFormat
from axis_nvr.storage.files import Files
from axis_nvr.storage.jobs import CloseRecording, Job, OpenRecording, WriteGop
from axis_nvr.storage.recording import RecordingDetails, RecordingWriter
from axis_nvr.storage.writer import DiskWriter

SERIAL = "ACCC8E012345"
#: 2024-05-06T07:08:09.012345Z
START_US = 1_714_979_289_012_345
VIDEO = VideoFormat(Codec.H264, b"\x01avcC", 1920, 1080)
AUDIO = AudioFormat(Codec.PCMU, b"", 8000, 1, 8)
DETAILS = RecordingDetails(device="front", stream_options="device=front&fps=25")


def unit(
    utc_us: int,
    *,
    track: int = 0,
    sync: bool = False,
    data: bytes = b"picture",
    form: Format = VIDEO,
    gap: Gap | None = None,
    taken_us: int | None = None,
) -> AccessUnit:
    """A unit; `taken_us` is its time on the media clock, where it is not that of its UTC."""
    ticks = (utc_us if taken_us is None else taken_us) * 9 // 100
    return AccessUnit(track, utc_us, ticks, sync, data, form, gap)


def gop_of(units: Sequence[AccessUnit], end_us: int | None = None, **more: Any) -> Gop:
    """A group of given units; without `end_us` it is one that was cut short."""
    gaps = [u.gap for u in units if u.gap is not None]
    return Gop(
        list(units),
        start_us=units[0].utc_us,
        end_us=units[-1].utc_us if end_us is None else end_us,
        size_bytes=sum(len(u.data) for u in units),
        **{"gaps": gaps, "complete": end_us is not None, **more},
    )


def video_gop(
    start_us: int, *, frames: int = 4, step_us: int = 500_000, form: Format = VIDEO, **more: Any
) -> Gop:
    """A group of pictures only, each with bytes of its own."""
    units = [
        unit(start_us + i * step_us, sync=not i, data=b"%d/%d" % (start_us, i), form=form)
        for i in range(frames)
    ]
    return gop_of(units, start_us + frames * step_us, **more)


def sound_gop(start_us: int, *, form: AudioFormat = AUDIO, track: int = 1) -> Gop:
    """Two seconds of sound only."""
    units = [
        unit(start_us + i * 100_000, track=track, sync=True, data=bytes(800), form=form)
        for i in range(20)
    ]
    return gop_of(units, start_us + 2_000_000)


class FailingFiles(Files):
    """The real disk, but operations can be made to fail, and all are counted.

    :ivar calls: names of the operations, with the name of the file or folder where there is one.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._names: dict[int, str] = {}
        self._failures: list[tuple[str, str, int, Callable[[], Exception]]] = []
        self._lock = Lock()

    def fail(
        self,
        operation: str,
        name: str = "",
        *,
        skip: int = 0,
        error: Callable[[], Exception] = lambda: OSError(errno.ENOSPC, "No space left on device"),
    ) -> None:
        """Let an operation fail once, after `skip` calls on files whose name ends in `name`."""
        self._failures.append((operation, name, skip, error))

    def count(self, operation: str, suffix: str = "") -> int:
        """How often an operation was called."""
        return sum(1 for o, name in self.calls if o == operation and name.endswith(suffix))

    def _called(self, operation: str, name: str) -> None:
        self.calls.append((operation, name))
        with self._lock:  # files are synced by several threads
            for at, (failing, suffix, skip, error) in enumerate(self._failures):
                if operation == failing and name.endswith(suffix):
                    if skip:
                        self._failures[at] = (failing, suffix, skip - 1, error)
                        return
                    del self._failures[at]
                    raise error()

    def create(self, path: Path) -> int:
        self._called("create", path.name)
        fd = super().create(path)
        self._names[fd] = path.name
        return fd

    def open_write(self, path: Path) -> int:
        self._called("open_write", path.name)
        fd = super().open_write(path)
        self._names[fd] = path.name
        return fd

    def close(self, fd: int) -> None:
        self._called("close", self._names.pop(fd, ""))
        super().close(fd)

    def writev(self, fd: int, pieces: Sequence[Any]) -> int:
        self._called("writev", self._names.get(fd, ""))
        return super().writev(fd, pieces)

    def start_writing(self, fd: int) -> None:
        self._called("start_writing", self._names.get(fd, ""))
        super().start_writing(fd)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        self._called("pwrite", self._names.get(fd, ""))
        return super().pwrite(fd, data, offset)

    def sync(self, fd: int) -> None:
        self._called("sync", self._names.get(fd, ""))
        super().sync(fd)

    def truncate(self, fd: int, size: int) -> None:
        self._called("truncate", self._names.get(fd, ""))
        super().truncate(fd, size)

    def sync_folder(self, path: Path) -> None:
        self._called("sync_folder", path.name)
        super().sync_folder(path)

    def make_folder(self, path: Path) -> None:
        self._called("make_folder", path.name)
        super().make_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        self._called("rename", new.name)
        super().rename(old, new)


class Digits:
    """Numbers for names, one after another."""

    def __init__(self, first: int = 0xA000) -> None:
        self.next = first

    def __call__(self) -> int:
        self.next += 1
        return self.next - 1


class Bench:
    """A disk without its thread: each call is a batch of its own.

    :param is_told: its index is told of each batch at once, as if somebody asked.
    :ivar folder: the disk's folder.
    :ivar files: what it writes with.
    """

    def __init__(
        self, folder: str, files: FailingFiles | None = None, *, is_told: bool = True
    ) -> None:
        self.is_told = is_told
        self.folder = Path(folder)
        self.files = FailingFiles() if files is None else files
        self.monotonic_seconds = 0.0
        self.disk = DiskWriter(
            self.files,
            self.folder,
            serial=SERIAL,
            product="axis_nvr test",
            zone=UTC,
            digits=Digits(),
            now=lambda: START_US / 1e6,
            monotonic=lambda: self.monotonic_seconds,
        )

    def open(
        self, details: RecordingDetails = DETAILS, start_us: int = START_US
    ) -> RecordingWriter:
        """Begin a recording."""
        (recording,) = self.disk.process([OpenRecording(details, start_us)])
        assert isinstance(recording, RecordingWriter)
        return recording

    def write(self, recording: RecordingWriter, *gops: Gop) -> list[object]:
        """Write groups, all in one batch."""
        return self._process([WriteGop(recording, gop) for gop in gops])

    def close(self, recording: RecordingWriter) -> object:
        """End a recording."""
        return self._process([CloseRecording(recording)])[0]

    def _process(self, jobs: Sequence[Job]) -> list[object]:
        outcomes = self.disk.process(jobs)
        if self.is_told:
            self.disk.catch_up()
        return outcomes

    def tell_index(self) -> None:
        """Have the index told all that waits, and the writer take note of it."""
        self.disk.catch_up()
        assert self.disk.process([]) == []

    def blocks(self) -> list[Path]:
        """The Matroska files on the disk, by name."""
        return sorted(self.folder.rglob("*.mkv"), key=lambda path: path.name)
