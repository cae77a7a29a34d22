"""``axis-nvr rebuild`` on the command line."""

import contextlib
import io
import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.cli.main import main
from axis_nvr.storage.layout import INDEX_NAME
from tests.storage.making import START_US, Bench, video_gop


def call(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and complaints of a command."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(arguments)
    return code, output.getvalue(), errors.getvalue()


class RebuildCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.bench.disk.start()
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        self.bench.close(recording)
        self.disk = str(self.bench.folder)

    def test_done(self) -> None:
        """It says what was found, and where the old index is."""
        self.bench.disk.stop()
        code, output, errors = call("rebuild", self.disk)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("1 recordings of 1 blocks found", output)
        self.assertIn("index.db.old", output)

    def test_without_an_index(self) -> None:
        """For programs there is no old index to speak of."""
        self.bench.disk.stop()
        (self.bench.folder / INDEX_NAME).unlink()
        code, output, _ = call("rebuild", "--json", self.disk)
        told = {"recordings": 1, "blocks": 1, "left": 0, "oldindex": None}
        self.assertEqual((code, json.loads(output)), (0, told))
        self.assertEqual(call("ls", self.disk)[1].count("\n"), 2)

    def test_what_is_left_is_named(self) -> None:
        """A file that is no block is told, and gives the exit code of something found."""
        self.bench.disk.stop()
        stranger = self.bench.blocks()[0].with_name("20240506_070809_FFFF.mkv")
        stranger.write_bytes(b"no block")
        stranger.with_suffix(".xml").write_bytes(b"no XML")
        code, output, errors = call("rebuild", self.disk)
        self.assertEqual(code, 1)
        self.assertIn(stranger.name, errors)
        self.assertIn("1 files left as they are", output)
        self.assertEqual(Path(stranger).read_bytes(), b"no block")

    def test_beside_a_recorder(self) -> None:
        """It is refused with words for people, and nothing is changed."""
        code, _, errors = call("rebuild", self.disk)
        self.bench.disk.stop()
        self.assertEqual(code, 2)
        self.assertIn("a recorder uses the disk; stop it first", errors)

    def test_no_disk(self) -> None:
        """Neither a folder that is not there, nor one that is none of ours."""
        self.bench.disk.stop()
        self.assertEqual(call("rebuild", self.mktemp())[0], 2)
