"""The chore ``repair``: what an unclean stop left open is closed, beside recording.

In this order, one block, one recording or a slice of a folder in a step:

1. Blocks that an earlier run left open, or that a disk that failed did, are closed
   (`axis_nvr.storage.repair.conclude`).
2. In the folder of each recording that an earlier run left open, blocks that the index does not
   know are adopted; then the recording is closed.
3. In the folders of the hours behind the index's horizon, recordings that the index does not know
   are adopted, or removed if nothing was ever written to them (`axis_nvr.storage.repair.strays`);
   in those that ended last, blocks that it does not know.
4. From then on it is looked now and then whether a disk that failed has left blocks unfinished in
   the middle of this run.

Recordings of this run are never touched: theirs are the rows behind `newest_recording`, as it was
when the disk was opened, and those that are running by their own account. What fails does not hold
up the rest, and is tried again. While a rebuild is under way, repair waits for it: it closes what
it finds itself.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from twisted.logger import Logger

from axis_nvr.errors import StorageError
from axis_nvr.storage.ground import Ground
from axis_nvr.storage.housekeeping import Premises, Progress
from axis_nvr.storage.layout import is_recording_id, recording_folder
from axis_nvr.storage.repair.adoption import Adoption
from axis_nvr.storage.repair.conclude import conclude_block, conclude_recording
from axis_nvr.storage.repair.rows import (
    UnfinishedBlock,
    is_rebuilding,
    newest_recording,
    next_lost_block,
    next_open_block,
    next_open_recording,
    recording_state,
)
from axis_nvr.storage.repair.strays import (
    hour_folders,
    hour_to_begin_from,
    is_stray,
    recording_folders,
    recordings_written_last,
)
from axis_nvr.storage.repair.survey import Unclear

#: How often it is looked for what a failing disk left, in seconds.
LOOK_SECONDS = 60.0
#: How long repair waits for a rebuild before it looks again, in seconds.
REBUILD_WAIT_SECONDS = 5.0


class RepairReport(NamedTuple):
    """What was repaired since the disk was opened.

    :ivar blocks: that were closed.
    :ivar recordings: that were ended.
    :ivar adopted: blocks that the index did not know.
    :ivar cut_bytes: behind the last whole groups: what was in flight.
    :ivar left: files that are not understood, and stay as they are.
    """

    blocks: int = 0
    recordings: int = 0
    adopted: int = 0
    cut_bytes: int = 0
    left: int = 0

    def __str__(self) -> str:
        parts = (
            (self.blocks, "blocks closed"),
            (self.recordings, "recordings ended"),
            (self.adopted, "blocks adopted"),
            (self.cut_bytes, "bytes cut"),
            (self.left, "files left as they are"),
        )
        return ", ".join(f"{count} {words}" for count, words in parts if count)


class Repair:
    """Closes what an earlier run left open; a `Chore`.

    :ivar report: what was done.
    :ivar progress: the same in words; None while there was nothing to do.
    """

    log = Logger()
    name = "repair"

    def __init__(self, premises: Premises) -> None:
        self.report = RepairReport()
        self.progress: Progress | None = None
        self._premises = premises
        self._ground = Ground(premises.files, premises.folder)
        self._newest = newest_recording(premises.index)
        self._since = hour_to_begin_from(premises.index, premises.now(), premises.zone)
        self._has_looked = False
        self._error: StorageError | None = None
        self._work = self._pass()

    def step(self) -> float | None:
        """See `Chore`."""
        try:
            return next(self._work)
        except StopIteration:
            self._work = self._pass()
        except BaseException:
            self._work = self._pass()
            raise
        error, self._error = self._error, None
        if error is not None:
            raise error
        return LOOK_SECONDS

    def _pass(self) -> Iterator[float]:
        """Do all that there is to do now, a little between one yield and the next."""
        while is_rebuilding(self._premises.index):
            yield REBUILD_WAIT_SECONDS
        self._ground.check_present()
        yield from self._close_blocks()
        yield from self._end_recordings()
        if not self._has_looked:
            yield from self._look_for_strays()
            self._has_looked = True
        if self._error is None:
            self._premises.settled()

    def _close_blocks(self) -> Iterator[float]:
        index = self._premises.index
        for find in (partial(next_open_block, newest=self._newest), next_lost_block):
            row_id = 0
            while (block := find(index, row_id)) is not None:
                row_id = block.row_id
                if block.stop_us is None and block.recording_id in self._premises.running():
                    continue
                try:
                    self._close_block(block)
                except StorageError as error:
                    self._error = self._error or error
                yield 0.0

    def _close_block(self, block: UnfinishedBlock) -> None:
        place = {"recording": block.recording_id, "block": block.block_id}
        try:
            done = conclude_block(self._premises, self._ground, block)
        except Unclear as error:
            self._count(left=1)
            self.log.error(
                "{recording}: the block {block} cannot be repaired, it is left as it is: {why}",
                why=str(error),
                **place,
            )
            return
        if done is None:
            self.log.warn("{recording}: the block {block} has no file", **place)
            return
        self._count(blocks=1, cut_bytes=done.cut_bytes)
        self.log.info(
            "{recording}: the block {block} is closed at {size} bytes; {cut} bytes behind its last"
            " whole group were cut off, {holes} broken places within covered",
            size=done.size_bytes,
            cut=done.cut_bytes,
            holes=done.holes,
            **place,
        )

    def _end_recordings(self) -> Iterator[float]:
        index, row_id = self._premises.index, 0
        while (found := next_open_recording(index, row_id, self._newest)) is not None:
            row_id, recording_id = found
            if recording_id in self._premises.running():
                continue
            try:
                if is_recording_id(recording_id):
                    folder = recording_folder(self._premises.folder, recording_id)
                    yield from self._adopt(Adoption(self._premises, folder, since=self._since))
                self._end_recording(recording_id)
            except StorageError as error:
                self._error = self._error or error
            yield 0.0

    def _end_recording(self, recording_id: str) -> None:
        if conclude_recording(self._premises, self._ground, recording_id):
            self._count(recordings=1)
            self.log.info("{recording}: ended where its last block does", recording=recording_id)

    def _look_for_strays(self) -> Iterator[float]:
        for hour in hour_folders(self._premises, self._since):
            for folder in recording_folders(self._premises, hour):
                if is_stray(self._premises, folder):
                    yield from self._adopt(Adoption(self._premises, folder))
                    if recording_state(self._premises.index, folder.name) is False:
                        self._end_recording(folder.name)
            yield 0.0
        for recording_id in recordings_written_last(self._premises.index, self._newest):
            if recording_id not in self._premises.running():
                yield from self._tidy(recording_id)

    def _tidy(self, recording_id: str) -> Iterator[float]:
        """Take in, or remove, what a failing disk left in a recording that was ended in order."""
        folder = recording_folder(self._premises.folder, recording_id)
        adoption = Adoption(self._premises, folder, since=self._since)
        yield from self._adopt(adoption)
        if adoption.adopted.blocks:
            self._end_recording(recording_id)
        yield 0.0

    def _adopt(self, adoption: Adoption) -> Iterator[float]:
        for _ in adoption.steps():
            yield 0.0
        adopted = adoption.adopted
        self._count(adopted=adopted.blocks, left=adopted.left, cut_bytes=adopted.cut_bytes)

    def _count(self, **more: int) -> None:
        counted = {name: count + getattr(self.report, name) for name, count in more.items()}
        self.report = self.report._replace(**counted)
        if words := str(self.report):
            self.progress = Progress(words)
