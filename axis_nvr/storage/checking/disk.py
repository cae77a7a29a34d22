"""Looking a whole disk over: index, recordings, blocks, and what the index does not know.

Nothing is held in memory but a page of rows, and nothing is changed unless there is a mender. A
disk that is being recorded to can be checked too: what seems wrong is asked for again in the index
before it is told, and is told only if its row has not changed meanwhile. What the index does not
know is told only if it still does not once it was told what waits.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from axis_nvr.storage.checking.blocks import check_block
from axis_nvr.storage.checking.findings import Finding, FindingKind, Looked
from axis_nvr.storage.checking.recordings import check_recording, check_sequence
from axis_nvr.storage.checking.rows import (
    BadRow,
    IndexedBlock,
    IndexedRecording,
    block_again,
    blocks_of,
    has_table,
    lost_blocks,
    recording_again,
    recordings_after,
)
from axis_nvr.storage.checking.strangers import check_strangers
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import BlockRow, Index
from axis_nvr.storage.schema import REBUILD_STATE

#: A row that changes while it is checked is checked again, so many times.
MAX_TRIES = 3

Row = TypeVar("Row", IndexedBlock, IndexedRecording)


class Mender(Protocol):
    """Mends what is found. Each says what it did; empty: nothing."""

    def mend_disk(self, found: Finding) -> str:
        """Mend something that belongs to no row."""

    def mend_recording(self, row: IndexedRecording, findings: Sequence[Finding]) -> str:
        """Mend a recording, apart from its blocks."""

    def mend_block(self, row: IndexedBlock, findings: Sequence[Finding]) -> str:
        """Mend a block."""


class Totals(NamedTuple):
    """What there is to be checked."""

    blocks: int
    size_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class DiskCheck:
    """Checks a disk.

    :param reads_media: read every cluster; without it, XML, rows and sizes only.
    :param wait: lets so many seconds go by.
    :param mender: mends what is found, where nobody else writes to the disk.
    :param catch_up: has the index told what a recorder knows to be durable.
    """

    files: IFiles
    folder: Path
    index: Index
    reads_media: bool = True
    wait: Callable[[float], None] = time.sleep
    mender: Mender | None = None
    catch_up: Callable[[], object] = lambda: None

    def totals(self) -> Totals:
        """Tell how much there is to be checked.

        :raises StorageError: the index cannot be read.
        """
        ((blocks, size_bytes),) = self.index.query("SELECT COUNT(*), SUM(filesize) FROM blocks")
        return Totals(blocks, int(size_bytes or 0))

    def run(self) -> Iterator[Finding | Looked]:
        """Check all of it.

        :raises StorageError: the index or the folder cannot be read.
        """
        for words in self.index.check():
            message = f"the index is damaged: {words}"
            yield Finding(FindingKind.INDEX_DAMAGED, "", "", message)
        for bad in lost_blocks(self.index):
            yield _bad_row(bad)
        if self.mender is not None:  # what is taken in is then checked with the rest
            yield from self._strangers(self.mender)
        for row in self._recordings():
            if isinstance(row, BadRow):
                yield _bad_row(row)
            elif self.mender is None:
                yield from self._surely(row, self._recording, recording_again)
                yield from self._blocks(row)
            else:  # its blocks may become other ones
                yield from self._blocks(row)
                yield from self._surely(
                    row, self._recording, recording_again, self.mender.mend_recording
                )
        if self.mender is None:
            yield from self._unknown()

    def _unknown(self) -> Iterator[Finding]:
        """Tell what the index does not know; of one that is being made anew, only that it is."""
        is_told = False
        for found in check_strangers(self.files, self.folder, self.index, self._wait):
            if found.kind is not FindingKind.NOT_INDEXED or not self._is_rebuilding():
                yield found
            elif not is_told:
                is_told = True
                message = "the index is not made from the files yet: a recorder goes on with it"
                yield Finding(FindingKind.INDEX_INCOMPLETE, "", "", message)

    def _wait(self, seconds: float) -> None:
        self.wait(seconds)
        self.catch_up()

    def _is_rebuilding(self) -> bool:
        return has_table(self.index, "nvr_state") and self.index.state(REBUILD_STATE) is not None

    def _strangers(self, mender: Mender) -> Iterator[Finding]:
        for found in check_strangers(self.files, self.folder, self.index, lambda seconds: None):
            yield replace(found, mended=mender.mend_disk(found))

    def _recordings(self) -> Iterator[IndexedRecording | BadRow]:
        after = -1
        while page := recordings_after(self.index, after):
            yield from page
            after = page[-1].row_id

    def _blocks(self, recording: IndexedRecording) -> Iterator[Finding | Looked]:
        before: BlockRow | None = None
        for found in blocks_of(self.index, recording.row_id):
            if isinstance(found, BadRow):
                yield _bad_row(found)
            else:
                mend = None if self.mender is None else self.mender.mend_block
                yield from self._surely(found, self._block, block_again, mend)
                if before is not None:
                    yield from check_sequence(self.index, recording.row_id, before, found.row)
                before = found.row
            yield Looked(blocks=1)

    def _recording(self, row: IndexedRecording) -> Iterator[Finding]:
        return check_recording(self.files, self.folder, self.index, row)

    def _block(self, found: IndexedBlock) -> Iterator[Finding | Looked]:
        return check_block(self.files, self.folder, found.row, reads_media=self.reads_media)

    def _surely(
        self,
        row: Row,
        check: Callable[[Row], Iterable[Finding | Looked]],
        again: Callable[[Index, int], Row | BadRow | None],
        mend: Callable[[Row, Sequence[Finding]], str] | None = None,
    ) -> Iterator[Finding | Looked]:
        """Check what a row names, again if the row is another one by then; mend it."""
        for _ in range(MAX_TRIES):
            findings: list[Finding] = []
            for found in check(row):
                if isinstance(found, Finding):
                    findings.append(found)
                else:
                    yield found
            if not findings:
                return
            now = again(self.index, row.row_id)
            if now is None:
                return
            if now == row or isinstance(now, BadRow):
                if mend is None:
                    yield from findings
                else:
                    yield from self._mended(row, findings, check, again, mend)
                return
            row = now

    def _mended(
        self,
        row: Row,
        findings: Sequence[Finding],
        check: Callable[[Row], Iterable[Finding | Looked]],
        again: Callable[[Index, int], Row | BadRow | None],
        mend: Callable[[Row, Sequence[Finding]], str],
    ) -> Iterator[Finding | Looked]:
        """Mend what a row names, and look what is still there to be found."""
        words = mend(row, findings)
        if not words:
            yield from findings
            return
        now = again(self.index, row.row_id)
        left: list[Finding] = []
        if now is not None and not isinstance(now, BadRow):
            left = [found for found in check(now) if isinstance(found, Finding)]
        kinds = {finding.kind for finding in left}
        for finding in findings:
            if finding.kind not in kinds:
                yield replace(finding, mended=words)
        yield from left


def _bad_row(bad: BadRow) -> Finding:
    return Finding(FindingKind.BAD_ROW, bad.recording_id, bad.block_id, bad.message)
