"""After a kill: what an earlier run left open is closed beside recording, and nothing else."""

import errno
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError
from axis_nvr.media.units import GapReason
from axis_nvr.storage.layout import RECORDING_XML, utc_text
from axis_nvr.storage.repair import strays
from axis_nvr.storage.repair.unclean import LOOK_SECONDS, Repair
from axis_nvr.storage.xml import BlockStatus, parse_block, parse_recording
from tests.durability import proves
from tests.storage.making import START_US, Bench, FailingFiles, video_gop
from tests.storage.repair.making import (
    GROUP_US,
    SECOND,
    assert_closed,
    content,
    do_chores,
    findings,
    kill,
    killed,
    meaning,
    restarted,
    tree,
    write_groups,
)

END_US = START_US + 3 * GROUP_US


class UncleanCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = killed(self.mktemp())
        self.folder = self.bench.folder
        (self.block,) = self.bench.blocks()
        self.recording = self.block.parent.parent
        self.frames = content(self.block)

    def restart(self, files: FailingFiles | None = None) -> Bench:
        """Start the next run; it is killed in the end if it is not stopped."""
        return restarted(self.folder, files)

    def repair(self) -> Repair:
        """Start, do the chores, stop."""
        bench = self.restart()
        repair = do_chores(bench)
        bench.disk.stop()
        return repair


class KilledTests(UncleanCase):
    @proves(
        5,
        fault="the process is killed",
        moment="while it records",
        outcome="file, XML and rows are those of a recording that was closed",
    )
    def test_all_is_closed(self) -> None:
        """Block and recording end a picture's time behind the last picture, wherever it is told."""
        repair = self.repair()
        assert_closed(self.block)
        self.assertEqual(content(self.block), self.frames)
        xml = parse_block(self.block.with_suffix(".xml").read_bytes())
        self.assertEqual((xml.status, xml.stop_us), (BlockStatus.COMPLETE, END_US))
        recording = parse_recording((self.recording / RECORDING_XML).read_bytes())
        self.assertEqual(recording.stop_us, END_US)
        told = meaning(self.folder)
        (row,), (block,) = told["recordings"], told["blocks"]
        self.assertEqual((row.stop_us, block.stop_us), (END_US, END_US))
        self.assertEqual(block.size_bytes, self.block.stat().st_size)
        self.assertEqual(findings(self.folder), [])
        self.assertEqual((repair.report.blocks, repair.report.recordings), (1, 1))
        self.assertIn("1 blocks closed", str(repair.progress))

    def test_what_was_in_flight_is_a_gap(self) -> None:
        """The index tells where the recorder stopped, as the block's tags do."""
        self.repair()
        (gaps,) = meaning(self.folder)["gaps"]
        self.assertEqual((gaps[-1].start_us, gaps[-1].reason), (END_US, GapReason.UNCLEAN_STOP))

    def test_nothing_is_read_at_the_start(self) -> None:
        """Recordings begin at once: files are for the chore."""
        before = self.block.read_bytes()
        bench = self.restart(files := FailingFiles())
        recording = bench.open()
        self.assertEqual(bench.write(recording, video_gop(START_US + 60 * SECOND)), [None])
        self.assertEqual(files.count("open_write"), 0)
        self.assertEqual(self.block.read_bytes(), before)
        bench.disk.stop()

    @proves(
        5,
        fault="the process is killed",
        moment="while another run has begun to record",
        outcome="the new recording is not touched by the repair of the old one",
    )
    def test_beside_a_recording(self) -> None:
        """What is being written stays open, and is whole in the end."""
        bench = self.restart()
        recording = bench.open()
        bench.write(recording, video_gop(START_US + 60 * SECOND))
        do_chores(bench)
        rows = {row.recording_id: row for row in bench.disk.place.index.recordings()}
        self.assertEqual(rows.pop(recording.recording_id).stop_us, None)
        (old,) = rows.values()
        self.assertEqual(old.stop_us, END_US)
        bench.write(recording, video_gop(START_US + 62 * SECOND))
        bench.close(recording)
        bench.disk.stop()
        self.assertEqual(findings(self.folder), [])

    @proves(
        5,
        fault="the process is killed",
        moment="again, before anything is repaired",
        outcome="the next run repairs both",
    )
    def test_killed_again(self) -> None:
        """What is to be done is known after any number of stops."""
        for at in range(2):
            bench = self.restart()
            bench.disk._digits = iter(range(0xC000 + 100 * at, 0xD000)).__next__
            write_groups(bench, bench.open(start_us=START_US + at * SECOND), 1, begin=10 + at)
            kill(bench)
        repair = self.repair()
        self.assertEqual(repair.report.blocks, 3)
        self.assertEqual(findings(self.folder), [])

    def test_what_is_closed_is_left_alone(self) -> None:
        """A second repair writes to no file, and removes none."""
        self.repair()
        before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in self.recording.rglob("*")}
        told = meaning(self.folder)
        repair = self.repair()
        after = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in self.recording.rglob("*")}
        self.assertEqual((after, meaning(self.folder)), (before, told))
        self.assertIsNone(repair.progress)

    def test_a_block_without_its_file(self) -> None:
        """The index points at no bytes that are not there; what else is left of it goes."""
        self.block.unlink()
        self.repair()
        told = meaning(self.folder)
        self.assertEqual((told["recordings"], told["blocks"]), ([], []))
        self.assertEqual(tree(self.folder), {})

    @proves(
        5,
        fault="the beginning of a block is destroyed",
        moment="in the block that was open",
        outcome="the file is left as it is; its row says so",
    )
    def test_a_block_that_is_not_understood(self) -> None:
        """It is neither cut nor removed, and does not hold up the rest."""
        data = bytes(200) + self.block.read_bytes()[200:]
        self.block.write_bytes(data)
        repair = self.repair()
        self.assertEqual(self.block.read_bytes(), data)
        (block,) = meaning(self.folder)["blocks"]
        self.assertEqual((block.unfinished, block.size_bytes), (0, len(data)))
        self.assertEqual(repair.report.left, 1)
        self.assertEqual(self.repair().report.left, 0)

    def test_xml_in_the_middle_of_its_writing(self) -> None:
        """What a stop left of it is not in the way."""
        path = self.block.with_suffix(".xml")
        path.with_name(f".{path.name}.tmp").write_bytes(b"<Rec")
        path.write_bytes(b"\xff")
        (self.recording / RECORDING_XML).unlink()
        self.repair()
        self.assertEqual(findings(self.folder), [])
        recording = parse_recording((self.recording / RECORDING_XML).read_bytes())
        self.assertEqual((recording.device, recording.stop_us), ("front", END_US))
        self.assertEqual([track.token for track in recording.tracks], ["Video", "Audio"])


class InterruptedTests(UncleanCase):
    @proves(
        5,
        fault="an I/O error",
        moment="at any operation of the repair",
        outcome="it is tried again, and ends the same",
    )
    def test_each_call_may_fail(self) -> None:
        """Nothing is told before it is so, and the second try ends where one alone would."""
        bench = self.restart()
        do_chores(bench)
        kill(bench)
        expected, rows = tree(self.folder), meaning(self.folder)
        for operation in ("open_write", "pwrite", "sync", "rename", "sync_folder", "create"):
            for skip in range(3):
                with self.subTest(operation=operation, skip=skip):
                    folder = Path(self.mktemp())
                    killed(str(folder))
                    bench = restarted(folder, files := FailingFiles())
                    files.fail(operation, skip=skip, error=lambda: OSError(errno.EIO, "I/O error"))
                    try:
                        do_chores(bench)
                    except StorageError:
                        kill(bench)
                        bench = restarted(folder)
                        do_chores(bench)
                    bench.disk.stop()
                    self.assertEqual((tree(folder), meaning(folder)), (expected, rows))

    def test_what_fails_does_not_hold_up_the_rest(self) -> None:
        """The other block is closed; the error is told, and the chore goes on."""
        bench = self.restart(files := FailingFiles())
        write_groups(bench, bench.open(), 1, begin=10)
        kill(bench)
        bench = self.restart(files)
        files.fail("open_write", error=lambda: OSError(errno.EIO, "I/O error"))
        premises = bench.disk.premises()
        repair = Repair(premises)
        with premises.index.transaction():
            premises.index.set_state("rebuild", None)
        self.assertRaises(StorageError, lambda: [repair.step() for _ in range(50)])
        self.assertEqual(repair.report.blocks, 1)
        while repair.step() == 0:
            pass
        self.assertEqual((repair.report.blocks, repair.step()), (2, LOOK_SECONDS))
        premises.index.close()
        bench.disk.stop()
        self.assertEqual(findings(self.folder), [])


class StrayTests(UncleanCase):
    """Files that the index does not know: a stop between their first write and their row."""

    def forget(self, *tables: str) -> None:
        """Let the index not know of the block, or of the recording either."""
        bench = self.restart()
        with bench.disk.place.index.transaction():
            for table in tables:
                bench.disk.place.index.execute(f"DELETE FROM {table}")  # noqa: S608
            bench.disk.place.index.set_state("rebuild", None)
        kill(bench)

    def restore(self) -> Repair:
        """Repair without a rebuild."""
        bench = self.restart()
        repair = do_chores(bench, rebuilds=False)
        bench.disk.stop()
        return repair

    @proves(
        3,
        fault="the process is killed",
        moment="behind the first write of a block, before its row",
        outcome="the next start adopts it",
    )
    def test_a_block_of_a_known_recording(self) -> None:
        """It is found in the folder of the recording that was open."""
        self.forget("blocks")
        self.assertEqual(self.restore().report.adopted, 1)
        self.assertEqual(findings(self.folder), [])
        self.assertEqual(content(self.block), self.frames)

    def test_a_recording(self) -> None:
        """It is found in the folder of its hour, with all that it says of itself."""
        told = meaning(self.folder)["recordings"]
        self.forget("blocks", "nvr_recordings", "recordings")
        self.restore()
        (row,) = meaning(self.folder)["recordings"]
        self.assertEqual(replace(row, stop_us=None), told[0])
        self.assertEqual(findings(self.folder), [])

    def test_a_recording_without_its_xml(self) -> None:
        """What its block declares is told of it."""
        told = meaning(self.folder)["recordings"][0]
        self.forget("blocks", "nvr_recordings", "recordings")
        (self.recording / RECORDING_XML).unlink()
        self.block.with_suffix(".xml").unlink()
        self.restore()
        (row,) = meaning(self.folder)["recordings"]
        self.assertEqual((row.video, row.audio, row.start_us), (told.video, told.audio, START_US))
        self.assertEqual(findings(self.folder), [])

    @proves(
        5,
        fault="power is lost",
        moment="at the first write of a recording",
        outcome="nothing of it is left",
    )
    def test_nothing_was_written(self) -> None:
        """A file that never held a group goes, and the folders that were made for it."""
        self.forget("blocks", "nvr_recordings", "recordings")
        (self.recording / RECORDING_XML).unlink()
        self.block.with_suffix(".xml").unlink()
        self.block.write_bytes(b"")
        self.restore()
        self.assertEqual(tree(self.folder), {})
        self.assertFalse(self.recording.parent.parent.exists())

    def test_what_may_have_been_acknowledged_stays(self) -> None:
        """With its XML beside it, a block is kept however little is understood of it."""
        self.forget("blocks", "nvr_recordings", "recordings")
        data = bytes(len(self.block.read_bytes()))
        self.block.write_bytes(data)
        self.assertEqual(self.restore().report.left, 1)
        self.assertEqual(self.block.read_bytes(), data)

    def test_files_of_others(self) -> None:
        """What has no name of ours, links, and large files are left where they are."""
        (self.recording / "notes.txt").write_bytes(b"mine")
        (self.block.parent / "holiday.mkv").write_bytes(b"mine")
        (self.block.parent / "20240506_070809_FFFF.mkv").symlink_to(self.block.absolute())
        far = self.recording.with_name("20240506_070809_FFFF_ACCC8E012345")
        far.symlink_to(self.recording.absolute())
        large = self.block.with_name("20240506_070809_EEEE.mkv")
        with large.open("wb") as file:
            file.truncate(1 << 30)
        self.repair()
        for path in (self.recording / "notes.txt", self.block.parent / "holiday.mkv", far, large):
            self.assertTrue(path.exists(), path)


class StoppedInOrderTests(UncleanCase):
    """What a failing disk left of groups it refused, in recordings that were ended all the same."""

    def setUp(self) -> None:
        super().setUp()
        self.repair()

    @proves(
        2,
        fault="an error, and the disk refuses to remove the files of the refused group too",
        moment="while recording, before an orderly stop",
        outcome="the next start removes what holds nothing; nothing else is touched",
    )
    def test_leftovers(self) -> None:
        """An empty block, and files that were to take another's place, go."""
        before = tree(self.folder)
        self.block.with_name("20240506_070900_FFFF.mkv").write_bytes(b"")
        self.block.with_name(f".{self.block.stem}.xml.tmp").write_bytes(b"<Bl")
        (self.recording / ".locks.xml.tmp").write_bytes(b"")
        self.repair()
        self.assertEqual(tree(self.folder), before)
        self.assertEqual(findings(self.folder), [])

    def test_a_block_with_pictures(self) -> None:
        """It is taken in, however the recording's XML and row leave it out."""
        path = self.recording / RECORDING_XML
        late = parse_recording(path.read_bytes()).start_us + GROUP_US
        path.write_bytes(path.read_bytes().replace(_text(START_US), _text(late)))
        other = self.block.with_name("20240506_070809_FFFF.mkv")
        other.write_bytes(self.block.read_bytes())
        bench = self.restart()
        bench.disk.place.index.execute(
            "UPDATE blocks SET starttime = ?, stoptime = ? WHERE filename = ?",
            *(utc_text(END_US), utc_text(END_US + GROUP_US), self.block.stem),
        )
        self.assertEqual(do_chores(bench).report.adopted, 1)
        (row,) = bench.disk.place.index.recordings()
        bench.disk.stop()
        self.assertEqual(row.start_us, START_US)
        self.assertEqual(parse_recording(path.read_bytes()).start_us, START_US)
        self.assertEqual(content(other), self.frames)

    def test_only_where_was_written_last(self) -> None:
        """A start looks at a few recordings, however many there are."""
        self.patch(strays, "NEWEST_ROWS", 0)
        left = self.block.with_name("20240506_070900_FFFF.mkv")
        left.write_bytes(b"")
        self.repair()
        self.assertTrue(left.exists())


def _text(utc_us: int) -> bytes:
    return utc_text(utc_us).encode()
