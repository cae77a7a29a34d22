"""A disk of one block to be checked, and files of which a part cannot be read."""

import errno
import sqlite3
from pathlib import Path
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding, Looked
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from tests.storage.making import START_US, Bench, video_gop

SECOND = 1_000_000
SEGMENT = b"\x18\x53\x80\x67"
CLUSTER = b"\x1f\x43\xb6\x75"


class FailingReads(Files):
    """The real disk, but a part of each file cannot be read.

    :param span: its first byte and the one behind it.
    """

    def __init__(self, span: tuple[int, int]) -> None:
        self.span = span
        self._blocks: set[int] = set()

    def open_read(self, path: Path) -> int:
        fd = super().open_read(path)
        (self._blocks.add if path.suffix == ".mkv" else self._blocks.discard)(fd)
        return fd

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        if fd in self._blocks and offset < self.span[1] and self.span[0] < offset + size:
            raise OSError(errno.EIO, "Input/output error")
        return super().pread(fd, size, offset)


class DiskOfOneBlock(SynchronousTestCase):
    """A recording of one block with three groups of two seconds, closed properly."""

    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.bench.disk.start()
        recording = self.bench.open()
        for at in range(3):
            self.bench.write(recording, video_gop(START_US + at * 2 * SECOND))
        self.bench.close(recording)
        self.bench.disk.stop()
        self.folder = self.bench.folder
        self.recording_id = recording.recording_id
        (self.block,) = self.bench.blocks()
        self.xml = self.block.with_suffix(".xml")
        self.recording_xml = self.block.parent.parent / "recording.xml"
        self.data = bytearray(self.block.read_bytes())
        self.clusters = [
            at for at in range(len(self.data)) if self.data[at : at + len(CLUSTER)] == CLUSTER
        ]
        self.change_row("DELETE FROM nvr_state")  # what the first start of a disk does
        self.waits: list[float] = []
        self.looked = Looked()

    def check(self, files: Files | None = None, *, reads_media: bool = True) -> list[Finding]:
        """What a check of the whole disk finds."""
        given_files = cast(IFiles, Files() if files is None else files)
        index = Index.open_read_only(cast(IFiles, Files()), self.folder / "index.db")
        findings, blocks, size_bytes = [], 0, 0
        try:
            check = DiskCheck(
                given_files, self.folder, index, reads_media=reads_media, wait=self.waits.append
            )
            for found in check.run():
                if isinstance(found, Finding):
                    findings.append(found)
                else:
                    blocks, size_bytes = blocks + found.blocks, size_bytes + found.size_bytes
        finally:
            index.close()
        self.looked = Looked(blocks, size_bytes)
        return findings

    def kinds(self, *, reads_media: bool = True) -> list[str]:
        """The kinds of what is found."""
        return [str(finding.kind) for finding in self.check(reads_media=reads_media)]

    def only(self) -> Finding:
        """The one thing found, which must name recording and block."""
        findings = self.check()
        self.assertEqual(len(findings), 1, findings)
        self.assertEqual(findings[0].recording_id, self.recording_id)
        self.assertEqual(findings[0].block_id, self.block.stem)
        return findings[0]

    def flip(self, at: int, mask: int = 1) -> None:
        """Turn bits of a byte of the block over."""
        self.data[at] ^= mask
        self.block.write_bytes(self.data)

    def change_row(self, *texts: str) -> None:
        """Change the index behind everybody's back."""
        connection = sqlite3.connect(self.folder / "index.db")
        for text in texts:
            connection.execute(text)
        connection.commit()
        connection.close()
