"""A disk is emptied: what the recorder wrote goes, and nothing else."""

import errno
from pathlib import Path
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME
from axis_nvr.storage.wiping import Wiped, wipe
from tests.storage.making import START_US, Bench, Digits, video_gop

DAY_US = 86_400_000_000


class StoppingFiles(Files):
    """The real disk, which goes away after so many files have been removed."""

    def __init__(self, removals: int) -> None:
        self.removals = removals

    def remove(self, path: Path) -> None:
        if not self.removals:
            raise OSError(errno.EIO, "Input/output error")
        self.removals -= 1
        super().remove(path)


class WipingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.folder = self.bench.folder
        self.record()

    def record(self) -> None:
        """Make two recordings, a day apart."""
        self.bench.disk.start()
        for at_us in (START_US, START_US + DAY_US):
            recording = self.bench.open(start_us=at_us)
            self.bench.write(recording, video_gop(at_us))
            self.bench.close(recording)
        self.bench.disk.stop()

    def wipe(self, files: Files | None = None) -> Wiped:
        """Wipe the disk to the end."""
        wiping = wipe(cast(IFiles, Files() if files is None else files), self.folder)
        shares = []
        while True:
            try:
                shares.append(next(wiping))
            except StopIteration as end:
                self.assertEqual(shares, sorted(shares))
                self.assertTrue(all(0 <= share <= 1 for share in shares))
                wiped: Wiped = end.value
                return wiped

    def names(self) -> list[str]:
        """All files and folders of the disk."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def refused(self, kind: StorageErrorKind, files: Files | None = None) -> None:
        self.assertEqual(self.assertRaises(StorageError, self.wipe, files).kind, kind)

    def test_all_goes(self) -> None:
        """Recordings, their folders, the index, and what is kept of other indexes."""
        for name in ("index.db-wal", "index.db.old", ".index.db.new", ".axis_nvr.ballast"):
            (self.folder / name).write_bytes(b"x")
        (self.folder / "index.db.corrupt-20260101T000000Z").write_bytes(b"x")
        (block, _) = self.bench.blocks()
        block.with_name(f".{block.stem}.xml.tmp").write_bytes(b"")
        (block.parent.parent / "locks.xml").write_bytes(b"<locks/>")
        wiped = self.wipe()
        self.assertEqual(self.names(), [LOCK_NAME])
        self.assertEqual((wiped.files, wiped.stayed), (2 * 3 + 1 + 5 + 2, 0))

    def test_used_again(self) -> None:
        """A disk that was wiped is a disk; new recordings find their place, and old ones none."""
        self.wipe()
        self.bench.disk._digits = Digits()
        self.record()
        self.assertEqual(len(self.bench.blocks()), 2)

    def test_what_is_not_ours_stays(self) -> None:
        """Other files and folders, wherever they are; and the folders that lead to them."""
        (block, _) = self.bench.blocks()
        ours = [block.parent, block.parent.parent, block.parents[2], block.parents[3], self.folder]
        for folder in ours:
            (folder / "holiday.mkv").write_bytes(b"mine")
            (folder / "album").mkdir()
        more = ("20240506.txt", "index.sqlite", "index.db.backup", "my.index.db")
        for name in more:
            (self.folder / name).write_bytes(b"mine")
        wiped = self.wipe()
        for folder in ours:
            self.assertEqual((folder / "holiday.mkv").read_bytes(), b"mine")
            self.assertTrue((folder / "album").is_dir())
        self.assertEqual(wiped.stayed, 4 * 2)
        self.assertEqual({path.name for path in self.bench.blocks()}, {"holiday.mkv"})
        for name in more:
            self.assertEqual((self.folder / name).read_bytes(), b"mine")

    def test_links_are_not_followed(self) -> None:
        """A link with a name of ours is not ours: neither it goes nor what it leads to."""
        other = Bench(self.mktemp())
        self.bench, bench = other, self.bench
        self.record()
        precious = {path: path.read_bytes() for path in other.folder.rglob("*") if path.is_file()}
        (block, _) = bench.blocks()
        (there, _) = other.blocks()
        links = [
            self.folder / "20990101",
            block.parents[3] / "23",
            block.parents[2] / f"{block.parent.parent.name[:-1]}F",
            block.parent.parent / "20990101_00",
            block.with_name("20990101_000000_ABCD.mkv"),
        ]
        targets = [there.parents[3], there.parents[2], there.parents[1], there.parent, there]
        for link, target in zip(links, targets, strict=True):
            link.symlink_to(target.absolute())
        self.wipe()
        self.assertEqual({path: path.read_bytes() for path in precious}, precious)
        self.assertEqual([link for link in links if not link.is_symlink()], [])

    def test_only_a_disk(self) -> None:
        """A folder that was never a disk is left as it is, also if its folders look like ours."""
        for name in (LOCK_NAME, INDEX_NAME):
            (self.folder / name).unlink()
        before = self.names()
        self.refused(StorageErrorKind.ABSENT)
        self.assertEqual(self.names(), before)
        self.folder = self.folder / "absent"
        self.refused(StorageErrorKind.ABSENT)

    def test_not_while_it_is_used(self) -> None:
        """A disk that a recorder has is not touched."""
        self.bench.disk.start()
        before = self.names()
        self.refused(StorageErrorKind.LOCKED)
        self.assertEqual(self.names(), before)
        self.bench.disk.stop()

    def test_cut_short(self) -> None:
        """Wherever it stops, the next one removes the rest; in between the disk can be opened."""
        for removals in range(8):
            self.refused(StorageErrorKind.FAILED, StoppingFiles(removals))
            left = len(self.bench.blocks())
            self.bench.disk.start()
            index = Index.join(cast(Any, Files()), self.folder / INDEX_NAME)
            known = [row.block_id for row in index.blocks()]
            self.assertTrue(set(known) <= {block.stem for block in self.bench.blocks()}, removals)
            index.close()
            self.bench.disk.stop()
            self.assertEqual(len(self.bench.blocks()), left)
            if removals % 2:
                self.wipe()
                self.assertEqual(self.names(), [LOCK_NAME])
                self.record()

    def test_given_up(self) -> None:
        """Closing it lets go of the disk."""
        wiping = wipe(cast(IFiles, Files()), self.folder)
        next(wiping)
        wiping.close()
        self.bench.disk.start()
        self.bench.disk.stop()
