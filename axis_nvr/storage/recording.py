"""One recording being written: groups of units in, blocks out.

`RecordingWriter` runs in its disk's writer thread. A batch goes in three strides, so that each file
is synced once and the index is written once for all that a batch holds:

1. `write` for each group: bytes go to the file of the open block; blocks are cut and closed.
2. `sync`: every file written to is synced; then the XML of blocks that began or ended is put in
   place and the folders are synced. What this leaves for the index stands in `index_writes`.
3. The index writes of all recordings go in one transaction (`axis_nvr.storage.writer`).

Only then is a group acknowledged.

When something fails, the block is closed behind its last good byte, the group is reported as not
stored and its time noted as a gap; the next group that begins at a key frame opens another block. A
block that could not even be closed is noted in the index as unfinished. A failed sync is one such
failure: nothing is known of what was written since the one before, so it is never tried again.

Folders may go at any time: retention removes empty ones, and people remove what they like. A folder
that is gone is made again; a block whose name is gone is lost with its row, and another begins.

Metadata units are left out: no place for them in the layout is known.
"""

from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block import BlockHead, BlockWriter, Ending
from axis_nvr.storage.chronicle import Chronicle, OpenBlock
from axis_nvr.storage.clusters import Course, plan_clusters, straighten
from axis_nvr.storage.columns import Columns
from axis_nvr.storage.cutting import cut_reason, is_last, stop_of
from axis_nvr.storage.gap_notes import GapNotes
from axis_nvr.storage.layout import block_file, block_path, recording_path
from axis_nvr.storage.papers import RecordingDetails
from axis_nvr.storage.place import Place
from axis_nvr.storage.stream_tracks import StreamTracks, track_order
from axis_nvr.storage.sync_threads import Submit

__all__ = ["RecordingDetails", "RecordingWriter", "gap_reason"]


def gap_reason(error: StorageError) -> GapReason:
    """Tell why a group that a disk did not take is missing."""
    if error.kind is StorageErrorKind.FULL:
        return GapReason.FULL_DISK
    return GapReason.SLOW_DISK if error.kind is StorageErrorKind.SLOW else GapReason.FAILED_DISK


class RecordingWriter:
    """Writes one recording; not safe for threads.

    :param place: the disk.
    :param recording_id: from `Place.choose_recording_id`.
    :ivar index_writes: what the index does not know yet of what is durable.
    :ivar gaps: what is missing from the recording and not told yet.
    """

    def __init__(self, place: Place, recording_id: str, details: RecordingDetails) -> None:
        self.recording_id = recording_id
        self.details = details
        self.gaps = GapNotes()
        self._place = place
        self._chronicle = Chronicle(place, recording_id, details)
        self.index_writes = self._chronicle.index_writes
        self._block: OpenBlock | None = None
        self._touched: list[OpenBlock] = []
        self._failure: StorageError | None = None
        self._is_closing = False
        self._now = 0.0

    @property
    def due(self) -> float:
        """When the index is to be told of it at the latest, by the clock of `write`."""
        due, gaps_due = self.index_writes.due, self.gaps.due
        return gaps_due if gaps_due < due and self._chronicle.has_begun else due

    # Stride 1: bytes to files.

    def write(self, gop: Gop, now: float) -> None:
        """Write a group; it is durable only after `sync`.

        :raises StorageError: it is not stored; its time is noted as a gap.
        """
        self._now = now
        try:
            self._write(gop)
        except StorageError as error:
            self._note_lost(gop.start_us, gop.end_us, error)
            raise

    def _note_lost(self, start_us: int, end_us: int, error: StorageError) -> None:
        gap = Gap(start_us, end_us, gap_reason(error), detail=str(error.kind))
        self.gaps.extend([gap], self._now)

    def _write(self, gop: Gop) -> None:
        block = self._block
        course = Course() if block is None or gop.starts_at_sync else block.course
        columns = straighten(gop, Columns.stored(gop.units), course)
        if columns.units and block is not None and gop.starts_at_sync:
            cut = cut_reason(block, gop, columns, is_bent=course.is_bent)
            if cut is not None:
                self._finish_block()
        self.gaps.extend(gop.gaps, self._now)
        if not columns.units:
            return
        block = self._block
        if block is None:
            if not gop.starts_at_sync:
                message = "the rest of a group whose beginning is not stored"
                raise StorageError(StorageErrorKind.FAILED, self._chronicle.folder, message)
            block = self._open_block(columns)
        self._append(block, gop, columns, course)

    def _open_block(self, columns: Columns) -> OpenBlock:
        start_us, formats = min(columns.times_us), columns.first_formats()
        streams = StreamTracks.of_units(formats, columns.units, self.details.frame_rate)
        self._place.check_present()
        block_id = self._place.choose_block_id(start_us, self.recording_id)
        hour = block_path(block_id)
        if not self._chronicle.has_begun:  # the index may not know the recording either
            hour = min(hour, recording_path(self.recording_id).replace("/", "_"))
        head = BlockHead(streams.matroska(), start_us, self._place.product)
        self._block = OpenBlock(
            start_us=start_us,
            main_track=track_order(streams.formats)[0],
            tracks=streams.numbered(),
            block_id=block_id,
            hour=hour,
            can_wait=self._place.horizon.reach(hour),
            writer=self._create(block_file(self._chronicle.folder, block_id), head),
            streams=streams,
        )
        return self._block

    def _create(self, path: Path, head: BlockHead) -> BlockWriter:
        """Create a block's file; folders that somebody removed meanwhile are made again."""
        try:
            self._place.make_folders(path.parent)
            return BlockWriter(self._place.files, path, head)
        except StorageError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
        self._place.distrust_folders()
        self._place.make_folders(path.parent)
        return BlockWriter(self._place.files, path, head)

    def _append(self, block: OpenBlock, gop: Gop, columns: Columns, course: Course) -> None:
        clusters = plan_clusters(columns, block.start_us, block.tracks, block.main_track)
        if block not in self._touched:
            self._touched.append(block)
        last_us, stop_us = stop_of(gop, columns, block.main_track)
        last_us, stop_us = max(block.last_us, last_us), max(block.stop_us, stop_us)
        left_out = len(columns.units) - sum(len(cluster.frames) for cluster in clusters)
        if left_out:
            detail = f"{left_out} frames of a track that changed within a group"
            gap = Gap(gop.start_us, gop.end_us, GapReason.SOURCE_CHANGED, detail=detail)
            self.gaps.extend([gap], self._now)
        ending = None
        if not course.is_bent and is_last(block, gop, stop_us):
            ending = Ending((stop_us - block.start_us) / 1000, self.gaps.tags())
        before = block.writer.written_bytes
        try:
            for cluster in clusters:
                block.writer.append(cluster, ending if cluster is clusters[-1] else None)
        except StorageError:  # a group is stored whole, or nothing of it
            block.writer.take_back(before)
            self._finish_block()
            raise
        block.last_us, block.stop_us, block.course = last_us, stop_us, course
        if ending is not None:
            self._ended(block)

    def _ended(self, block: OpenBlock) -> None:
        """Take note of a block of which all is written."""
        self._block = None
        self.gaps.block_ended()
        block.is_finished = True

    def _finish_block(self) -> None:
        """Close the open block, if there is one; raises nothing."""
        block, self._block = self._block, None
        if block is None:
            return
        if block not in self._touched:
            self._touched.append(block)
        if not block.writer.written_bytes:  # its very first write failed
            self._lose(block, "nothing was written", None)
            return
        try:
            duration_ms = (block.stop_us - block.start_us) / 1000
            block.writer.finish(Ending(duration_ms, self.gaps.tags()))
            self._ended(block)
        except StorageError as error:
            self._lose(block, str(error), error)
            self._failure = error  # what this batch wrote to it before is lost too

    def _lose(self, block: OpenBlock, why: str, error: StorageError | None) -> None:
        """Stop writing a block where it was last good, and note what repair has to do.

        :param error: what lost groups that were written; None if none was.
        """
        if self._block is block:
            self._block = None
        if block in self._touched:
            self._touched.remove(block)
        block.writer.give_up(keep=block.is_announced)
        good_us = block.good_stop_us or block.start_us
        if error is not None and block.stop_us > good_us:
            self._note_lost(good_us, block.stop_us, error)
        self._chronicle.lose_block(block, why, self._now)

    def finish(self) -> None:
        """Close the open block and, at the next `sync`, the recording."""
        self._finish_block()
        self._is_closing = True

    # Stride 2: what was written becomes durable, and is told in XML.

    def start_sync(self, submit: Submit | None) -> None:
        """Have all that was written go to the disk, ahead of `sync`.

        :param submit: has it synced by other threads; without it it is only begun.
        """
        for block in self._touched:
            if submit is None:
                block.writer.start_writing()
            else:
                block.writer.start_sync(submit)

    @property
    def has_papers(self) -> bool:
        """Whether `sync` will write XML: a block or the recording begins or ends."""
        return self._is_closing or any(
            block.is_finished or not block.is_announced for block in self._touched
        )

    def sync(self, now: float) -> None:
        """Make all that was written durable, and lay out what the index is to be told.

        It may run in another thread, beside that of other recordings.

        :raises StorageError: something of it is not.
        """
        self._now = now
        failure, self._failure = self._failure, None
        for block in self._touched.copy():
            if failure is not None and not block.is_announced:
                self._lose(block, str(failure), failure)  # its name went with the folder's sync
                continue
            try:
                self._make_durable(block)
            except StorageError as error:
                failure = failure or error
                self._lose(block, str(error), error)
        self._touched.clear()
        if self._is_closing:
            try:
                self._chronicle.end_recording(now)
            except StorageError as error:
                failure = failure or error
            self.lay_out_gaps()
        if failure is not None:
            raise failure

    def _make_durable(self, block: OpenBlock) -> None:
        block.writer.sync()
        block.good_stop_us = block.stop_us
        if not block.is_announced:
            self._chronicle.begin_block(block, self._now)
        if block.is_finished:
            block.writer.close()
            self._chronicle.end_block(block, self._now)

    def lay_out_gaps(self) -> None:
        """Add what is missing to what the index is told; safe from any thread."""
        gaps = self.gaps.take_waiting() if self._chronicle.has_begun else []
        if gaps:
            self._chronicle.note_gaps(gaps, self._now)
