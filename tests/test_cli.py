"""``axis-nvr`` on the command line."""

import contextlib
import io
import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.cli.main import main
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage import asking
from axis_nvr.storage.recording import RecordingDetails
from tests.storage.making import START_US, Bench, video_gop

RECORDING = "20240506_070809_A000_ACCC8E012345"


class CliCase(SynchronousTestCase):
    """A disk with a recording, and the command line."""

    def setUp(self) -> None:
        bench = Bench(self.mktemp())
        bench.disk.start()
        recording = bench.open(RecordingDetails("front\x1b[2J", "fps=25"))
        gap = Gap(START_US, START_US + 5, GapReason.PACKETS_LOST, 7, "words")
        bench.write(recording, video_gop(START_US, gaps=[gap]))
        bench.close(recording)
        bench.disk.stop()
        self.block = bench.blocks()[0]
        self.disk = str(bench.folder)

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and complaints of a command."""
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                code = main(arguments)
            except SystemExit as end:
                code = int(end.code or 0)
        return code, output.getvalue(), errors.getvalue()


class CliTests(CliCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(asking, "PATIENCE_SECONDS", 0.0)  # a disk without its thread does not answer

    def test_ls(self) -> None:
        """A line for each recording; no text of it reaches the terminal as a command."""
        code, output, errors = self.call("ls", self.disk)
        self.assertEqual((code, errors), (0, ""))
        titles, line = output.splitlines()
        self.assertTrue(titles.startswith("RECORDING"))
        self.assertIn(f"{RECORDING}  2024-05-06 07:08:09.012Z  0:00:02   1", line)
        self.assertNotIn("\x1b", output)

    def test_ls_json(self) -> None:
        """The same for programs."""
        code, output, _ = self.call("ls", "--json", self.disk)
        (told,) = json.loads(output)
        self.assertEqual((code, told["recordingid"], told["blocks"]), (0, RECORDING, 1))
        self.assertEqual(told["stoptime"], "2024-05-06T07:08:11.012345Z")

    def test_show(self) -> None:
        """A recording's facts, blocks and gaps."""
        code, output, _ = self.call("show", self.disk, RECORDING)
        self.assertEqual(code, 0)
        for part in ("continuous", self.block.stem, "complete", "packets-lost", "words", "fps=25"):
            self.assertIn(part, output)

    def test_show_json(self) -> None:
        """The same for programs."""
        told = json.loads(self.call("show", "--json", self.disk, RECORDING)[1])
        self.assertEqual(told["blocks"][0]["status"], "complete")
        self.assertEqual(told["gaps"][0]["lostpackets"], 7)

    def test_show_what_is_not_there(self) -> None:
        """An unknown recording is said, and is exit code 1."""
        code, output, errors = self.call("show", self.disk, "other")
        self.assertEqual((code, output), (1, ""))
        self.assertIn("there is no recording 'other'", errors)

    def test_a_block_that_is_being_written(self) -> None:
        """It counts with the size that its file has by now."""
        bench = Bench(self.disk)
        bench.disk.start()
        self.addCleanup(bench.disk.stop)
        bench.write(bench.open(RecordingDetails("yard", "fps=25")), video_gop(START_US))
        told = json.loads(self.call("ls", "--json", self.disk)[1])
        (row,) = (row for row in told if row["device"] == "yard")
        (written,) = (path for path in bench.blocks() if path != self.block)
        self.assertGreater(written.stat().st_size, 0)
        self.assertEqual((row["stoptime"], row["size"]), (None, written.stat().st_size))
        shown = self.call("show", self.disk, row["recordingid"])[1]
        self.assertNotIn(" 0 B ", shown)

    def test_check(self) -> None:
        """Nothing found is 0; something found is 1, and is told."""
        self.assertEqual(self.call("check", self.disk), (0, "all well\n", ""))
        data = bytearray(self.block.read_bytes())
        data[data.index(b"%d/1" % START_US)] ^= 1
        self.block.write_bytes(data)
        code, output, _ = self.call("check", self.disk)
        self.assertEqual(code, 1)
        self.assertIn("CRC-32", output)
        code, output, _ = self.call("check", "--json", self.disk)
        told = json.loads(output)
        self.assertEqual((code, told["blocks"], len(told["findings"])), (1, 1, 1))
        (finding,) = told["findings"]
        self.assertEqual((finding["kind"], finding["recordingid"]), ("cluster-damaged", RECORDING))
        self.assertEqual(set(finding["loss"]), {"from", "to", "offset", "bytes"})
        self.assertEqual(
            self.call("check", "--quick", "--rate", "5", self.disk)[:2], (0, "all well\n")
        )
        self.assertEqual(
            json.loads(self.call("check", "--quick", "--json", self.disk)[1])["findings"], []
        )
        for wrong in ("0", "-1", "x", "nan"):
            code, _, errors = self.call("check", f"--rate={wrong}", self.disk)
            self.assertEqual(code, 2)
            self.assertIn(f"{wrong!r} is no number of megabytes a second", errors)

    def test_check_repair(self) -> None:
        """What is mended is said to be; 0 if all is, 1 if something stays."""
        xml = self.block.with_suffix(".xml")
        xml.unlink()
        code, output, _ = self.call("check", "--repair", "--json", self.disk)
        (finding,) = json.loads(output)["findings"]
        self.assertEqual((code, finding["kind"]), (0, "xml-missing"))
        self.assertIn("agree", finding["mended"])
        self.assertTrue(xml.exists())
        self.assertEqual(self.call("check", "--repair", self.disk), (0, "all well\n", ""))
        data = bytearray(self.block.read_bytes())
        data[data.index(b"%d/1" % START_US)] ^= 1
        self.block.write_bytes(data)
        xml.unlink()
        code, output, _ = self.call("check", "--repair", self.disk)
        self.assertEqual(code, 1)
        self.assertIn("xml-missing], mended", output)
        self.assertIn("[cluster-damaged]\n", output)

    def test_repair_beside_a_recorder(self) -> None:
        """It is refused with clear words while a recorder uses the disk; a check is not."""
        bench = Bench(self.disk)
        bench.disk.start()
        self.addCleanup(bench.disk.stop)
        code, _, errors = self.call("check", "--repair", self.disk)
        self.assertEqual(code, 2)
        self.assertIn("a recorder uses the disk", errors)
        self.assertEqual(self.call("check", self.disk)[0], 0)

    def test_repair_makes_no_disk(self) -> None:
        """A folder that is no disk does not become one by being repaired."""
        self.assertEqual(self.call("check", "--repair", self.disk + "-nowhere")[0], 2)
        empty = Path(self.mktemp())
        empty.mkdir()
        self.assertEqual(self.call("check", "--repair", str(empty))[0], 2)
        self.assertEqual(list(empty.iterdir()), [])

    def test_no_disk(self) -> None:
        """A folder that is no disk, or no arguments at all, is exit code 2."""
        code, _, errors = self.call("ls", self.disk + "-nowhere")
        self.assertEqual(code, 2)
        self.assertIn("No such file or directory (absent)", errors)
        self.assertEqual(self.call()[0], 2)
        for command in (["ls"], ["check"], ["check", "--repair"], ["locks"], ["unlock", "--", "x"]):
            name, *rest = command
            code, _, errors = self.call(name, str(self.block.parent), *rest)
            self.assertEqual(code, 2, command)
            self.assertIn("no disk of a recorder: it has no index.db; a disk", errors)

    def test_the_folder_above_a_disk(self) -> None:
        """The disk within a folder is named: a state folder is easily taken for its disk."""
        code, _, errors = self.call("ls", str(Path(self.disk).parent))
        self.assertEqual(code, 2)
        self.assertIn(f"it has no index.db, but {self.disk} has", errors)

    def test_version(self) -> None:
        """Which version it is, for who reports what it did."""
        code, output, _ = self.call("--version")
        self.assertEqual((code, output.split()[0]), (0, "axis_nvr"))
