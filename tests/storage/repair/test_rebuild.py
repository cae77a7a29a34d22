"""An index made anew from the files: the same rows, also while recording goes on."""

import errno
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.locks import Locks
from axis_nvr.storage.removal import note_blocks
from axis_nvr.storage.repair.offline import OLD_NAME, rebuild_index
from axis_nvr.storage.repair.opening import (
    CONDEMNED_NAME,
    MAX_KEPT,
    condemn_index,
    put_broken_index_aside,
)
from axis_nvr.storage.repair.rebuild import Rebuild
from axis_nvr.storage.sweeper import Sweeper
from tests.durability import proves
from tests.storage.making import DETAILS, START_US, Bench, FailingFiles, sound_gop, video_gop
from tests.storage.repair.making import (
    SECOND,
    Unsynced,
    do_chores,
    findings,
    kill,
    meaning,
    restarted,
    tree,
    write_groups,
)

HOUR_US = 3600 * SECOND


def now() -> float:
    return START_US / 1e6


def make_disk(folder: str) -> Path:
    """A disk with recordings of all kinds, one of which was open when its recorder was killed."""
    bench = Bench(folder)
    bench.disk.start()
    long = bench.open()
    write_groups(bench, long, 2)
    for at in range(1, 4):  # further blocks: a hole of an hour each
        bench.write(long, video_gop(START_US + at * HOUR_US))
    bench.close(long)
    triggered = replace(
        DETAILS,
        device="yard",
        group="G1",
        trigger_type="triggered",
        trigger_name="Motion <1>",
        trigger_trigger="Record",
        source_token=3,
        stream_options="device=yard&audio=1",
    )
    sound = bench.open(triggered, START_US + HOUR_US)
    bench.write(sound, sound_gop(START_US + HOUR_US))
    bench.close(sound)
    index = bench.disk.place.index
    locks = Locks(bench.files, bench.folder, index, now)
    locks.lock(sound.recording_id, reason="a theft", owner="anna")
    first = next(index.blocks(long.recording_id))
    note_blocks(index, [first.block_id], ())
    Sweeper(bench.files, bench.folder, index).sweep(10)
    write_groups(bench, bench.open(start_us=START_US + 5 * HOUR_US), 2, begin=9000)
    kill(bench)
    bench = restarted(folder)
    do_chores(bench)
    bench.disk.stop()
    return bench.folder


class RebuildCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = make_disk(self.mktemp())
        self.told, self.files = meaning(self.folder), tree(self.folder)
        self.index = self.folder / INDEX_NAME

    def finish(self, bench: Bench) -> None:
        """Do what there is to do, and stop."""
        do_chores(bench)
        bench.disk.stop()


class OfflineTests(RebuildCase):
    @proves(
        4,
        fault="the index is lost",
        moment="while no recorder runs",
        outcome="a rebuild gives the same rows, and writes to no file",
    )
    def test_the_same_rows(self) -> None:
        """Recordings, blocks, triggers, gaps, locks, look-ups: all but the numbers of rows."""
        self.index.unlink()
        report = rebuild_index(Unsynced(), self.folder, now)
        self.assertEqual(meaning(self.folder), self.told)
        self.assertEqual(tree(self.folder), self.files)
        self.assertEqual((report.recordings, report.blocks, report.left), (3, 5, 0))
        self.assertEqual(findings(self.folder), [])

    def test_tracks_that_came_before_a_kill(self) -> None:
        """What a recording has by now is told by its XML too, before it ends."""
        bench = Bench(self.mktemp())
        bench.disk.start()
        recording = bench.open()
        bench.write(recording, video_gop(START_US))
        write_groups(bench, recording, 1, begin=1)  # with sound: another block
        kill(bench)
        bench = restarted(bench.folder)
        do_chores(bench)
        bench.disk.stop()
        told = meaning(bench.folder)
        self.assertIsNotNone(told["recordings"][0].audio)
        rebuild_index(Unsynced(), bench.folder, now)
        self.assertEqual(meaning(bench.folder), told)

    def test_the_old_index_is_kept(self) -> None:
        """Its rows are as they were, what was still in its log included."""
        rebuild_index(Unsynced(), self.folder, now)
        old = Index.open_read_only(Files(), self.folder / OLD_NAME)
        self.assertEqual(list(old.recordings()), self.told["recordings"])
        old.close()
        self.assertEqual(meaning(self.folder), self.told)

    def test_not_beside_a_recorder(self) -> None:
        """The disk's lock is asked first, and nothing is touched."""
        bench = restarted(self.folder)
        self.addCleanup(bench.disk.stop)
        error = self.assertRaises(StorageError, rebuild_index, Files(), self.folder, now)
        self.assertEqual(error.kind, StorageErrorKind.LOCKED)
        self.assertIn("a recorder uses the disk", error.message)

    def test_no_disk(self) -> None:
        """A folder that is none of ours is not made one."""
        folder = Path(self.mktemp())
        folder.mkdir()
        error = self.assertRaises(StorageError, rebuild_index, Files(), folder, now)
        self.assertEqual(error.kind, StorageErrorKind.ABSENT)
        self.assertEqual(list(folder.iterdir()), [])

    @proves(
        4,
        fault="an I/O error",
        moment="at each rename of a rebuild",
        outcome="the old index is in place, or none, and the next rebuild ends the same",
    )
    def test_each_rename_may_fail(self) -> None:
        """Whatever is there after it, nothing of it is wrong."""
        for skip in range(2):
            files = FailingFiles()
            files.fail("rename", skip=skip, error=lambda: OSError(errno.EIO, "I/O error"))
            self.assertRaises(StorageError, rebuild_index, files, self.folder, now)
            if self.index.exists():
                self.assertEqual(meaning(self.folder), self.told)
            rebuild_index(Unsynced(), self.folder, now)
            self.assertEqual(meaning(self.folder), self.told)

    def test_hostile_files(self) -> None:
        """Random bytes, wrong names, pipes, links in circles: told or passed over, never taken."""
        (recording,) = self.folder.glob("*/*/*_A000_*/recording.xml")
        inner = next(path for path in recording.parent.iterdir() if path.is_dir())
        (inner / "20240506_070809_FFF0.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(500))
        (inner / "20240506_070809_FFF0.xml").write_bytes(b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>")
        (inner / "20240506_990809_FFF1.mkv").write_bytes(b"x")
        (recording.parent / "20240506_19").symlink_to(recording.parent.absolute())
        (self.folder / "20240507").write_bytes(b"no folder")
        (self.folder / "20240508" / "25").mkdir(parents=True)
        report = rebuild_index(Unsynced(), self.folder, now)
        self.assertEqual(report.left, 2)
        self.assertEqual(meaning(self.folder), self.told)


class BesideRecordingTests(RebuildCase):
    @proves(
        4,
        fault="the index is lost",
        moment="before a start",
        outcome="it is made anew while recording goes on",
    )
    def test_a_missing_index(self) -> None:
        """Old and new recordings are in it in the end."""
        for path in self.folder.glob(f"{INDEX_NAME}*"):
            path.unlink()
        bench = restarted(self.folder)
        recording = bench.open(start_us=START_US + 9 * HOUR_US)
        self.assertEqual(bench.write(recording, video_gop(START_US + 9 * HOUR_US)), [None])
        do_chores(bench)
        rows = {row.recording_id: row for row in bench.disk.place.index.recordings()}
        self.assertEqual(len(rows), len(self.told["recordings"]) + 1)
        self.assertIsNone(rows[recording.recording_id].stop_us)
        bench.close(recording)
        bench.disk.stop()
        self.assertEqual(findings(self.folder), [])
        told = meaning(self.folder)
        self.assertEqual(told["recordings"][:-1], self.told["recordings"])
        self.assertEqual(told["locks"], self.told["locks"])

    @proves(
        4,
        fault="the index is damaged",
        moment="before a start",
        outcome="it is kept under another name, and made anew",
    )
    def test_a_broken_index(self) -> None:
        """Random bytes in its first page, a cut file, no database at all."""
        whole = self.index.read_bytes()
        for data in (b"x" * 5000, whole[:100] + b"\xff" * 4000 + whole[4100:], whole[:5000]):
            self.index.write_bytes(data)
            bench = restarted(self.folder)
            self.finish(bench)
            self.assertEqual(meaning(self.folder), self.told)
            self.assertEqual(findings(self.folder), [])
        kept = list(self.folder.glob(f"{INDEX_NAME}.corrupt-*"))
        self.assertLessEqual(1, len(kept))

    def test_few_broken_ones_are_kept(self) -> None:
        """The newest of them; they are for people to look at, not to fill the disk."""
        for at in range(MAX_KEPT + 2):
            self.index.write_bytes(b"x" * 100)
            kept = put_broken_index_aside(Files(), self.folder, START_US + at * SECOND)
        self.assertEqual(len(list(self.folder.glob(f"{INDEX_NAME}.corrupt-*"))), MAX_KEPT)
        assert kept is not None
        self.assertTrue(kept.exists())

    def test_an_index_that_was_condemned(self) -> None:
        """What was found to be broken in use is made anew at the next start."""
        condemn_index(Files(), self.folder)
        self.finish(restarted(self.folder))
        self.assertFalse((self.folder / CONDEMNED_NAME).exists())
        self.assertEqual(len(list(self.folder.glob(f"{INDEX_NAME}.corrupt-*"))), 1)
        self.assertEqual(meaning(self.folder), self.told)

    def test_an_io_error_is_no_damage(self) -> None:
        """A disk that cannot be read keeps its index where it is."""
        files = FailingFiles()
        before = self.index.read_bytes()
        self.patch(files, "exists", _raiser(OSError(errno.EIO, "I/O error")))
        self.assertRaises(StorageError, put_broken_index_aside, files, self.folder, START_US)
        self.assertEqual(self.index.read_bytes(), before)

    @proves(
        4,
        fault="the process is killed",
        moment="at any step of a rebuild beside recording",
        outcome="the next start goes on with it",
    )
    def test_interrupted(self) -> None:
        """Nothing is taken in twice, nothing is left out."""
        for steps in range(1, 12, 2):
            for path in self.folder.glob(f"{INDEX_NAME}*"):
                path.unlink()
            bench = restarted(self.folder)
            premises = bench.disk.premises()
            rebuild = Rebuild(premises, slice_files=1)
            for _ in range(steps):
                rebuild.step()
            premises.index.close()
            kill(bench)
            self.finish(restarted(self.folder))
            self.assertEqual(meaning(self.folder), self.told)
            self.assertEqual(tree(self.folder), self.files)

    def test_a_new_disk(self) -> None:
        """There is nothing to find, and it is known at once."""
        bench = restarted(self.mktemp())
        premises = bench.disk.premises()
        rebuild = Rebuild(premises)
        self.assertIsNone(rebuild.step())
        self.assertIsNone(rebuild.progress)
        self.assertIsNone(premises.index.state("rebuild"))
        premises.index.close()
        bench.disk.stop()


def _raiser(error: Exception) -> object:
    def fail(*_: object) -> None:
        raise error

    return fail
