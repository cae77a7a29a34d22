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

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block import BlockHead, BlockWriter, Ending
from axis_nvr.storage.clusters import Course, plan_clusters, straighten
from axis_nvr.storage.columns import Columns
from axis_nvr.storage.cutting import BlockState, cut_reason, is_last, stop_of
from axis_nvr.storage.files import storage_errors
from axis_nvr.storage.gap_notes import GapNotes
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import IndexNews, IndexWrite
from axis_nvr.storage.layout import RECORDING_XML, block_file, block_path, recording_path
from axis_nvr.storage.papers import Papers, RecordingDetails
from axis_nvr.storage.place import Place
from axis_nvr.storage.stream_tracks import StreamTracks, track_order
from axis_nvr.storage.sync_threads import Submit
from axis_nvr.storage.vanished import drop_vanished, end_recording, ensure_recording, is_gone
from axis_nvr.storage.xml import BlockStatus, BlockXml

__all__ = ["RecordingDetails", "RecordingWriter", "gap_reason"]


@dataclass(slots=True, eq=False, kw_only=True)
class _Block(BlockState):
    """A block being written, or closed in the batch that runs.

    :ivar good_stop_us: where its durable part ends.
    :ivar hour: the earliest in whose folder it is looked for.
    :ivar can_wait: it is found there, should the index not know it.
    :ivar is_announced: it has its XML.
    :ivar is_finished: nothing more is written to it.
    """

    block_id: str
    writer: BlockWriter
    streams: StreamTracks
    hour: str
    can_wait: bool
    good_stop_us: int = 0
    is_announced: bool = False
    is_finished: bool = False


@dataclass(slots=True)
class _Progress:
    """What of the recording is on the disk; `streams` is None before its first block is."""

    streams: StreamTracks | None = None
    start_us: int = 0
    stop_us: int = 0


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
        self.index_writes = IndexNews()
        self.gaps = GapNotes()
        self._place = place
        self._papers = Papers(place, recording_id, details)
        self._block: _Block | None = None
        self._touched: list[_Block] = []
        self._progress = _Progress()
        self._failure: StorageError | None = None
        self._is_closing = False
        self._now = 0.0

    @property
    def due(self) -> float:
        """When the index is to be told of it at the latest, by the clock of `write`."""
        due, gaps_due = self.index_writes.due, self.gaps.due
        return gaps_due if gaps_due < due and self._progress.streams is not None else due

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
                raise StorageError(StorageErrorKind.FAILED, self._papers.folder, message)
            block = self._open_block(columns)
        self._append(block, gop, columns, course)

    def _open_block(self, columns: Columns) -> _Block:
        start_us, formats = min(columns.times_us), columns.first_formats()
        streams = StreamTracks.of_units(formats, columns.units, self.details.frame_rate)
        self._place.check_present()
        block_id = self._place.choose_block_id(start_us, self.recording_id)
        hour = block_path(block_id)
        if self._progress.streams is None:  # the index may not know the recording either
            hour = min(hour, recording_path(self.recording_id).replace("/", "_"))
        head = BlockHead(streams.matroska(), start_us, self._place.product)
        self._block = _Block(
            start_us=start_us,
            main_track=track_order(streams.formats)[0],
            tracks=streams.numbered(),
            block_id=block_id,
            hour=hour,
            can_wait=self._place.horizon.reach(hour),
            writer=self._create(block_file(self._papers.folder, block_id), head),
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

    def _append(self, block: _Block, gop: Gop, columns: Columns, course: Course) -> None:
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

    def _ended(self, block: _Block) -> None:
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

    def _lose(self, block: _Block, why: str, error: StorageError | None) -> None:
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
        if not block.is_announced:  # nobody knows of it
            self._remove(block.writer.path.with_suffix(".xml"))
            self._place.forget_folder(block.writer.path.parent)
            return
        if is_gone(self._place.files, block.writer.path):
            self._forget_vanished()
            return
        good_bytes, stop_us = block.writer.good_bytes, block.good_stop_us
        self._progress.stop_us = max(self._progress.stop_us, stop_us)
        block_id = block.block_id
        self.index_writes.add(
            self._now,
            partial(Index.close_block, block_id=block_id, stop_us=stop_us, size_bytes=good_bytes),
            partial(Index.mark_unfinished, block_id=block_id, good_bytes=good_bytes, reason=why),
        )

    def _forget_vanished(self) -> None:
        """Have the index forget blocks whose files somebody removed, unless the disk is gone."""
        with suppress(StorageError):
            self._place.check_present()
            drop = partial(drop_vanished, files=self._place.files, folder=self._papers.folder)
            self.index_writes.add(self._now, partial(drop, recording_id=self.recording_id))

    def _remove(self, path: Path) -> None:
        with suppress(OSError):
            self._place.files.remove(path)

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
                self._conclude_recording()
            except StorageError as error:
                failure = failure or error
            self.lay_out_gaps()
        if failure is not None:
            raise failure

    def _make_durable(self, block: _Block) -> None:
        block.writer.sync()
        block.good_stop_us = block.stop_us
        if not block.is_announced:
            self._announce_block(block)
        if block.is_finished:
            self._conclude_block(block)

    def _announce_block(self, block: _Block) -> None:
        """Put the XML of a new block, and of a new recording, in place."""
        before = self._progress.streams
        streams = block.streams if before is None else before.joined(block.streams)
        begins = before is None or block.start_us < self._progress.start_us  # a clock set back
        if begins:
            self._progress.start_us = block.start_us
        is_known = before is None or self._papers.has_recording_xml()
        if begins or before != streams or not is_known:
            self._papers.write_recording(streams, self._progress.start_us, None)
        if not block.is_finished:
            self._write_block_xml(block, BlockStatus.RECORDING)
        else:
            with storage_errors(block.writer.path.parent, "sync a folder"):
                self._place.files.sync_folder(block.writer.path.parent)
        row = self._papers.row(streams, self._progress.start_us)
        recording_id, block_id, start_us = self.recording_id, block.block_id, block.start_us
        writes: list[IndexWrite] = [partial(ensure_recording, row=row)]
        if before not in (None, streams):
            media = partial(Index.set_media, video=row.video, audio=row.audio)
            writes.append(partial(media, recording_id=recording_id))
        add = partial(Index.add_block, recording_id=recording_id, block_id=block_id)
        writes.append(partial(add, start_us=start_us))
        self.index_writes.add(
            self._now,
            *writes,
            can_wait=block.can_wait and is_known and before in (None, streams),
            hour=block.hour,
            is_of_recording=begins,
        )
        self._progress.streams = streams
        block.is_announced = True

    def _conclude_block(self, block: _Block) -> None:
        """Tell that a block whose bytes are durable is whole."""
        block.good_stop_us = block.stop_us
        block.writer.close()
        self._write_block_xml(block, BlockStatus.COMPLETE)
        self._progress.stop_us = max(self._progress.stop_us, block.stop_us)
        close = partial(
            Index.close_block,
            block_id=block.block_id,
            stop_us=block.stop_us,
            size_bytes=block.writer.good_bytes,
        )
        self.index_writes.add(self._now, close, can_wait=True)

    def _conclude_recording(self) -> None:
        """Tell that the recording has ended; one that never began leaves nothing."""
        streams, stop_us = self._progress.streams, self._progress.stop_us
        if streams is None:
            self._remove(self._papers.folder / RECORDING_XML)
            self._place.forget_folder(self._papers.folder)
            return
        end = partial(end_recording, recording_id=self.recording_id, stop_us=stop_us)
        self.index_writes.add(self._now, end, can_wait=True, is_of_recording=True)
        if self._papers.has_recording_xml():
            self._papers.write_recording(streams, self._progress.start_us, stop_us)

    def _write_block_xml(self, block: _Block, status: BlockStatus) -> None:
        is_whole = status is BlockStatus.COMPLETE
        stop_us = block.stop_us if is_whole else None
        xml = BlockXml(block.block_id, self.recording_id, block.start_us, stop_us, status)
        self._papers.write_block(xml, block.writer.path)

    def lay_out_gaps(self) -> None:
        """Add what is missing to what the index is told; safe from any thread."""
        gaps = [] if self._progress.streams is None else self.gaps.take_waiting()
        if gaps:
            add = partial(Index.add_gaps, recording_id=self.recording_id, gaps=gaps)
            self.index_writes.add(self._now, add)
