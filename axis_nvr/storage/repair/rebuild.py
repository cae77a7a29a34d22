"""The chore ``rebuild``: an index made from the files alone, beside recording or without it.

An index that is made new says so in its state (`axis_nvr.storage.schema.EXPECT_REBUILD`). As long
as that stands there, recordings are adopted from the files, oldest first, hour by hour; on a new
disk there are none, and it is done at once. Recordings of this run come into the index by their own
writer.

How far it is stands in the state too, so that after a stop it goes on where it was. What it writes
is not synced commit by commit: a power cut takes the last commits, and with them the note of having
done them.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from twisted.logger import Logger

from axis_nvr.storage.files import EntryKind
from axis_nvr.storage.ground import Ground
from axis_nvr.storage.housekeeping import Premises, Progress
from axis_nvr.storage.layout import is_day_folder, is_recording_id
from axis_nvr.storage.repair.adoption import SLICE_FILES, Adoption, entries
from axis_nvr.storage.repair.conclude import conclude_recording
from axis_nvr.storage.repair.rows import recording_state
from axis_nvr.storage.repair.strays import hour_folders, recording_folders
from axis_nvr.storage.schema import REBUILD_STATE

#: How many recordings are adopted before it is noted how far the rebuild is.
NOTE_RECORDINGS = 50
_HOURS = 24


@dataclass(slots=True)
class RebuildReport:
    """How far a rebuild is.

    :param after: the id of the last recording looked at; empty: none was.
    :param recordings: that were taken in; `blocks` of them.
    :param left: files that are not understood, and stay as they are.
    """

    after: str = ""
    recordings: int = 0
    blocks: int = 0
    left: int = 0

    @classmethod
    def parse(cls, text: str) -> "RebuildReport":
        """Read what an earlier run noted; what cannot be read is begun again."""
        with suppress(ValueError, TypeError, AttributeError):
            told = json.loads(text)
            report = cls(str(told["after"]), *(int(told[n]) for n in _COUNTS))
            if not report.after or is_recording_id(report.after):
                return report
        return cls()

    def __str__(self) -> str:
        left = f", {self.left} files left as they are" if self.left else ""
        return f"{self.recordings} recordings of {self.blocks} blocks found{left}"


_COUNTS = ("recordings", "blocks", "left")


class Rebuild:
    """Makes an index from the files; a `Chore`.

    :param slice_files: how many files are looked at in one step.
    :ivar report: how far it is.
    :ivar progress: the same in words and hours of recordings; None if there is nothing to do.
    """

    log = Logger()
    name = "rebuild"

    def __init__(self, premises: Premises, *, slice_files: int = SLICE_FILES) -> None:
        self.report = RebuildReport()
        self.progress: Progress | None = None
        self._premises = premises
        self._ground = Ground(premises.files, premises.folder)
        self._slice_files = slice_files
        self._days: dict[str, int] = {}
        self._work = self._rebuild()

    def step(self) -> float | None:
        """See `Chore`."""
        index = self._premises.index
        if index.state(REBUILD_STATE) is None:
            return None
        with index.loosely():
            try:
                next(self._work)
            except StopIteration:
                return None
            except BaseException:
                self._work = self._rebuild()
                raise
        return 0.0

    def _rebuild(self) -> Iterator[None]:
        """Do a slice between one yield and the next."""
        premises, index = self._premises, self._premises.index
        report = self.report = RebuildReport.parse(index.state(REBUILD_STATE) or "")
        self._ground.check_present()
        days = (e.name for e in entries(premises.files, premises.folder) if _is_day(*e))
        self._days = {day: at for at, day in enumerate(days)}
        noted = report.recordings
        for hour in hour_folders(premises, report.after[:11]):
            for folder in recording_folders(premises, hour):
                if folder.name <= report.after:
                    continue
                yield from self._take_in(folder)
                report.after = folder.name
                if report.recordings - noted >= NOTE_RECORDINGS:
                    noted = report.recordings
                    self._note()
            self._tell(hour)
            yield
        self._ground.check_present()
        with index.transaction():
            index.set_state(REBUILD_STATE, None)
        if report.recordings or report.left:
            self.progress = Progress(str(report), 1, 1)
            self.log.info("{folder}: {report}", folder=str(premises.folder), report=str(report))

    def _take_in(self, folder: Path) -> Iterator[None]:
        """Adopt a recording, unless it is of this run or has been adopted before."""
        if folder.name in self._premises.running():
            return
        if recording_state(self._premises.index, folder.name) is True:
            return
        adoption = Adoption(self._premises, folder, slice_files=self._slice_files)
        yield from adoption.steps()
        adopted, report = adoption.adopted, self.report
        report.blocks += adopted.blocks
        report.left += adopted.left
        if recording_state(self._premises.index, folder.name) is False:
            report.recordings += conclude_recording(self._premises, self._ground, folder.name)
        yield

    def _note(self) -> None:
        index = self._premises.index
        with index.transaction():
            index.set_state(REBUILD_STATE, json.dumps(asdict(self.report)))

    def _tell(self, hour: Path) -> None:
        done = self._days.get(hour.parent.name, 0) * _HOURS + int(hour.name) + 1
        total = max(len(self._days) * _HOURS, done)
        if self.report.recordings or self.report.left:
            self.progress = Progress(str(self.report), done, total)


def _is_day(name: str, kind: EntryKind) -> bool:
    return kind is EntryKind.FOLDER and is_day_folder(name)
