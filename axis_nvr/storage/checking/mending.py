"""Mending what a check finds, where that loses nothing.

The media decide: XML and rows are made to agree with them. A file that was not closed is finished,
what the index does not know is taken in, a row without its file becomes a gap. Media that are
damaged stay as they are: which parts is noted in the index, and readers pass over them.

Nobody else may write to the disk meanwhile: whoever makes the mender has locked it.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from axis_nvr.errors import NvrError, StorageError
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.checking.blocks import block_path_of
from axis_nvr.storage.checking.damage import has_damage, note_damage
from axis_nvr.storage.checking.findings import Finding, FindingKind
from axis_nvr.storage.checking.fronts import salvage_front
from axis_nvr.storage.checking.rows import IndexedBlock, IndexedRecording
from axis_nvr.storage.files import IFiles, storage_errors, write_at
from axis_nvr.storage.ground import Ground
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import BlockRow
from axis_nvr.storage.layout import RECORDING_XML, recording_folder, utc_text
from axis_nvr.storage.repair.adoption import Adoption
from axis_nvr.storage.repair.conclude import conclude_block, conclude_recording
from axis_nvr.storage.repair.papers import (
    complete_block_xml,
    complete_recording_xml,
    read_recording_xml,
    write_recording_xml,
)
from axis_nvr.storage.repair.rebuild import Rebuild
from axis_nvr.storage.repair.rows import (
    UnfinishedBlock,
    add_new_gaps,
    end_recording,
    span_of_blocks,
)
from axis_nvr.storage.repair.unclean import Repair

#: A duration beyond this is not believed: a block lasts minutes.
MAX_DURATION_MS = 7 * 86_400_000
#: What of a block is a matter of its row and its XML.
_PAPERS = frozenset(
    {
        FindingKind.XML_MISSING,
        FindingKind.XML_DAMAGED,
        FindingKind.XML_DIFFERS,
        FindingKind.SIZE_DIFFERS,
        FindingKind.TIME_DIFFERS,
        FindingKind.STOP_BEFORE_START,
        FindingKind.TIME_DISORDER,
    }
)
#: What finishing the file does away with, where no cluster is damaged.
_ENDS = frozenset({FindingKind.CUES_DAMAGED, FindingKind.TAGS_DAMAGED, FindingKind.FRONT_DAMAGED})


def finish_open(premises: Premises) -> None:
    """End what was begun: a rebuild of the index, and what an unclean stop left open.

    :raises StorageError: the disk does not let us.
    """
    for _ in finishing_open(premises):
        pass


def finishing_open(premises: Premises) -> Iterator[None]:
    """Do the same, a step at a time.

    :raises StorageError: the disk does not let us.
    """
    for chore in (Rebuild(premises), Repair(premises)):
        while chore.step() == 0.0:  # as often as there are open blocks, recordings and hours
            yield


class DiskMender:
    """Mends a disk that nobody else writes to.

    :param premises: the disk, with an index that can be written.
    """

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._files: IFiles = premises.files
        self._folder = premises.folder
        self._index = premises.index
        self._ground = Ground(premises.files, premises.folder)

    # What lies there and is not in the index.

    def mend_disk(self, found: Finding) -> str:
        """Take in what the index does not know, and remove leftovers that hold no media."""
        try:
            if found.kind is FindingKind.NOT_INDEXED:
                return self._adopt(found)
            if found.kind is FindingKind.LEFTOVER:
                return self._remove_leftover(found)
        except NvrError:
            return ""
        return ""

    def _adopt(self, found: Finding) -> str:
        recording = recording_folder(self._folder, found.recording_id)
        for _ in Adoption(self._premises, recording).steps():
            pass
        with suppress(StorageError):
            conclude_recording(self._premises, self._ground, found.recording_id)
        is_known = self._index.name_taken(found.block_id or found.recording_id)
        return "it was taken into the index" if is_known else ""

    def _remove_leftover(self, found: Finding) -> str:
        """Remove a file that was to take another's place, or XML without media."""
        name = found.message.partition(" ")[0]
        recording = recording_folder(self._folder, found.recording_id)
        if Path(name).name != name or name.endswith(".mkv"):
            return ""
        places = [recording]
        with suppress(OSError):
            places += [recording / child for child in self._files.list_folder(recording)]
        for place in places:
            with suppress(OSError):
                self._files.remove(place / name)
                return "it was removed"
        return ""

    # Recordings.

    def mend_recording(self, row: IndexedRecording, findings: Sequence[Finding]) -> str:
        """Make row and XML of a recording agree with its blocks."""
        del findings
        try:
            span = span_of_blocks(self._index, row.recording_id)
            if span is None:
                conclude_recording(self._premises, self._ground, row.recording_id)
                return "the recording was taken out: nothing of it is left"
            return self._mend_papers_of_recording(row, span.start_us, span.stop_us)
        except NvrError:
            return ""

    def _mend_papers_of_recording(self, row: IndexedRecording, start_us: int, stop_us: int) -> str:
        if row.stop_us is None:
            return ""
        with self._index.transaction():
            end_recording(self._index, row.recording_id, start_us, max(stop_us, start_us))
        full = next(self._index.recordings(row.recording_id))
        folder = recording_folder(self._folder, row.recording_id)
        xml = read_recording_xml(self._files, folder)
        if xml is not None and (xml.recording_id != row.recording_id or xml.start_us > start_us):
            true = replace(xml, recording_id=row.recording_id, start_us=start_us)
            write_recording_xml(self._files, folder, true)
        complete_recording_xml(self._files, folder, full)
        return f"row and {RECORDING_XML} were made to agree with the blocks"

    # Blocks.

    def mend_block(self, block: IndexedBlock, findings: Sequence[Finding]) -> str:
        """Mend a block as far as nothing is lost by it."""
        kinds = {finding.kind for finding in findings}
        has_loss = any(finding.loss is not None for finding in findings)
        done = []
        try:
            if FindingKind.FILE_MISSING in kinds:
                return self._forget(block)
            if self._is_truncated(block.row, findings):
                return self._finish(block, stop_us=None)
            if kinds == {FindingKind.FRONT_DAMAGED} and self._write_front(block):
                return "its front was written anew"
            if has_loss or has_damage(self._index, block.row_id):
                self._note(block, findings)
                done.append("what is lost was noted, and readers pass over it")
            if FindingKind.UNFINISHED in kinds:
                done.append(self._finish(block, stop_us=block.row.stop_us))
            elif kinds & _ENDS and not has_loss:
                done.append(self._mend_ends(block, kinds))
            elif kinds & _PAPERS:
                done.append(self._agree(block))
        except (NvrError, OSError):  # what is still there is found again
            pass
        return ", ".join(filter(None, done))

    def _note(self, block: IndexedBlock, findings: Sequence[Finding]) -> None:
        with self._index.transaction():
            note_damage(self._index, block.row_id, findings, int(self._premises.now() * 1e6))

    def _forget(self, block: IndexedBlock) -> str:
        """Take out a row whose file is not there, and note what is missing."""
        row = block.row
        self._ground.check_present()
        if self._files.exists(block_path_of(self._folder, row)):
            return ""
        stop_us = row.start_us if row.stop_us is None else row.stop_us
        detail = f"the file of block {row.block_id} is gone"
        gap = Gap(row.start_us, max(row.start_us, stop_us), GapReason.DAMAGED, detail=detail)
        with self._index.transaction():
            add_new_gaps(self._index, row.recording_id, [gap])
            self._index.drop_block(row.block_id)
        with suppress(OSError):
            self._files.remove(block_path_of(self._folder, row).with_suffix(".xml"))
        return "its row was taken out, and a gap noted in its place"

    def _is_truncated(self, row: BlockRow, findings: Sequence[Finding]) -> bool:
        """Tell whether a file only ends too early: the part of a group at its end is no picture."""
        losses = [finding.loss for finding in findings if finding.loss is not None]
        with suppress(NvrError), self._open(row) as block:
            at_end = all(loss.offset + loss.size_bytes == block.size_bytes for loss in losses)
            ends_early = block.segment_end is not None and block.segment_end > block.size_bytes
            return ends_early and len(losses) <= 1 and at_end
        return False

    def _open(self, row: BlockRow) -> BlockReader:
        return BlockReader(self._files, block_path_of(self._folder, row))

    def _finish(self, block: IndexedBlock, stop_us: int | None) -> str:
        """Finish a file as after an unclean stop."""
        row = block.row
        good_bytes = row.unfinished if row.unfinished and row.unfinished > 0 else None
        unfinished = UnfinishedBlock(
            *(block.row_id, row.block_id, row.recording_id, row.path, row.start_us, stop_us),
            good_bytes,
        )
        conclude_block(self._premises, self._ground, unfinished)
        return "its file was finished"

    def _mend_ends(self, block: IndexedBlock, kinds: set[FindingKind]) -> str:
        """Write anew what stands around whole clusters."""
        if kinds & {FindingKind.CUES_DAMAGED, FindingKind.TAGS_DAMAGED}:
            return self._finish(block, stop_us=block.row.stop_us)
        return self._write_front(block)

    def _write_front(self, block: IndexedBlock) -> str:
        path = block_path_of(self._folder, block.row)
        front = salvage_front(self._files, path)
        if front is None:
            return ""
        with storage_errors(path, "write"):
            fd = self._files.open_write(path)
            try:
                write_at(self._files, fd, front, 0)
                self._files.sync(fd)
            finally:
                self._files.close(fd)
        return "its front was written anew"

    def _agree(self, block: IndexedBlock) -> str:
        """Make row and XML agree with the file."""
        row = block.row
        if row.stop_us is None:
            return ""
        with self._open(row) as reader:
            info, size_bytes = reader.info, reader.size_bytes
            if info is None or reader.segment_end not in (None, size_bytes):
                return ""
        start_us, stop_us = info.date_us or row.start_us, row.stop_us
        if info.duration_ms is not None and 0 <= info.duration_ms <= MAX_DURATION_MS:
            stop_us = start_us + round(info.duration_ms * 1000)
        with self._index.transaction():
            self._index.execute(
                "UPDATE blocks SET starttime = ?, stoptime = ?, filesize = ? WHERE id = ?",
                *(utc_text(start_us), utc_text(stop_us), size_bytes, block.row_id),
            )
        path, span = block_path_of(self._folder, row), (start_us, stop_us)
        complete_block_xml(self._files, path, row.recording_id, span)
        return "row and XML were made to agree with the file"
