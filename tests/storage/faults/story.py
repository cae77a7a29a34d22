"""What a recorder does on a disk of memory, with a note of all that it promised.

A `Story` is one life of a recorder: from a start to a stop, a crash or a kill. What `DiskWriter`
acknowledges is marked in the log of the disk's operations at its place, so that for each moment it
is known what had been promised by then.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from axis_nvr.errors import NvrError
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Gap
from axis_nvr.storage.chore_thread import ChoreMaker
from axis_nvr.storage.housekeeping import Chore, Premises
from axis_nvr.storage.jobs import CloseRecording, NoteGap, OpenRecording, WriteGop
from axis_nvr.storage.locks_xml import Lock
from axis_nvr.storage.recording import RecordingDetails, RecordingWriter
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.medium import Mark, Operation
from tests.storage.making import DETAILS, START_US, Bench, Digits, gop_of, unit

SECOND = 1_000_000
#: Where the disk's folder is on the disk of memory.
FOLDER = "/media/HDD_DISK"
#: A chore that wants to go on within so many seconds has something to do.
SOON_SECONDS = 1.0
#: More steps than any chore has to do on so small a disk.
MAX_STEPS = 1000


class Stored(NamedTuple):
    """A promise: this group is safe."""

    recording_id: str
    gop: Gop


class Closed(NamedTuple):
    """A promise: this recording has ended and is whole."""

    recording_id: str


class Expendable(NamedTuple):
    """From here on this span of a recording may go.

    :ivar recording_id: None: of any.
    :ivar start_us: None: from its beginning; `end_us`: None: to its end.
    """

    recording_id: str | None = None
    start_us: int | None = None
    end_us: int | None = None

    def covers(self, promise: Stored) -> bool:
        """Tell whether a group is within."""
        return (
            self.recording_id in (None, promise.recording_id)
            and (self.start_us is None or self.start_us <= promise.gop.start_us)
            and (self.end_us is None or promise.gop.end_us <= self.end_us)
        )


class Removed(NamedTuple):
    """A promise: nobody finds this recording any more."""

    recording_id: str


class Locked(NamedTuple):
    """A promise: this is held until it is unlocked."""

    lock: Lock


class Unlocking(NamedTuple):
    """From here on this lock may be gone."""

    token: str


class Unlocked(NamedTuple):
    """A promise: this lock holds nothing any more."""

    token: str


class Damaged(NamedTuple):
    """Somebody has spoilt this block."""

    block_id: str


class Story:
    """One life of a recorder.

    :param chores: what goes on beside recording, done when `do_chores` is called.
    :param digits: the first of the numbers in names.
    :ivar outcomes: of all jobs so far.
    """

    def __init__(
        self, files: FaultFiles, chores: Sequence[ChoreMaker] = (), digits: int = 0xA000
    ) -> None:
        self.files = files
        self.bench = Bench(FOLDER, cast(Any, files))
        self.disk = self.bench.disk
        self.disk._digits = Digits(digits)
        self.outcomes: list[object] = []
        self._makers = chores
        self._cameras: dict[str, RecordingWriter] = {}
        self._premises: Premises | None = None
        self._chores: dict[str, Chore] = {}

    def start(self) -> None:
        """Open the disk."""
        self.disk.start()
        self._premises, self._chores = None, {}

    @property
    def premises(self) -> Premises:
        """What chores work with."""
        if self._premises is None:
            self._premises = self.disk.premises()
        return self._premises

    def open(self, camera: str = "front", start_us: int = START_US) -> None:
        """Begin a recording of a camera.

        :raises NvrError: the disk cannot be used.
        """
        details = RecordingDetails(camera, f"device={camera}") if camera != "front" else DETAILS
        (outcome,) = self.disk.process([OpenRecording(details, start_us)])
        if isinstance(outcome, NvrError):
            raise outcome
        assert isinstance(outcome, RecordingWriter)
        self._cameras[camera] = outcome

    def recording(self, camera: str = "front") -> RecordingWriter:
        """Give the recording of a camera."""
        return self._cameras[camera]

    def write(self, *gops: Gop, camera: str = "front") -> list[object]:
        """Write groups of one camera in one batch."""
        return self.write_all(*((camera, gop) for gop in gops))

    def write_all(self, *gops: tuple[str, Gop]) -> list[object]:
        """Write groups of several cameras in one batch."""
        jobs = [WriteGop(self._cameras[camera], gop) for camera, gop in gops]
        outcomes = self.disk.process(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if outcome is None:
                self.files.mark(Stored(job.recording.recording_id, job.gop))
        self.outcomes += outcomes
        return outcomes

    def note_gap(self, gap: Gap, camera: str = "front") -> None:
        """Tell that something is missing."""
        self.outcomes += self.disk.process([NoteGap(self._cameras[camera], (gap,))])

    def close(self, *cameras: str) -> None:
        """End recordings."""
        jobs = [CloseRecording(self._cameras.pop(camera)) for camera in cameras or ("front",)]
        outcomes = self.disk.process(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if outcome is None:
                self.files.mark(Closed(job.recording.recording_id))
        self.outcomes += outcomes

    def do_chores(self) -> None:
        """Do all chores until none has anything to do at once."""
        for name in self.chore_names:
            for _ in range(MAX_STEPS):
                if not self.step(name):
                    break
            else:
                raise AssertionError(f"{name} does not end")

    def step(self, name: str) -> bool:
        """Do a step of a chore; tell whether it has more to do."""
        assert name in self.chore_names
        delay = self._chores[name].step()
        return delay is not None and delay < SOON_SECONDS

    @property
    def chore_names(self) -> list[str]:
        """The names of the chores, in their order."""
        if not self._chores:
            made = [make(self.premises) for make in self._makers]
            self._chores = {chore.name: chore for chore in made}
        return list(self._chores)

    def stop(self) -> None:
        """Close what is open."""
        self.disk.stop()


#: What happens in a life; it begins before the disk is opened.
Plot = Callable[[Story], None]


def promises(log: Sequence[Operation], until: int) -> list[object]:
    """Give what had been promised when so many operations were done."""
    return [operation.what for operation in log[:until] if isinstance(operation, Mark)]


def group(
    at_seconds: float, *, frames: int = 3, step_seconds: float = 0.5, size: int = 700, **more: Any
) -> Gop:
    """A group that begins so long after `START_US`, each picture with bytes of its own."""
    start_us, step_us = START_US + int(at_seconds * SECOND), int(step_seconds * SECOND)
    form = {"form": more.pop("form")} if "form" in more else {}
    name = more.pop("name", "")
    units = [
        unit(start_us + i * step_us, sync=not i, data=_text(f"{name}{start_us}/{i} ", size), **form)
        for i in range(frames)
    ]
    return gop_of(units, start_us + frames * step_us, **more)


def _text(text: str, size: int) -> bytes:
    return (text.encode() * (size // len(text) + 1))[:size]
