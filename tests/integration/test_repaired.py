"""Players and tools find nothing to complain of in blocks that were repaired."""

import shutil
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from axis_nvr.storage.jobs import WriteGop
from tests.durability import proves
from tests.integration.sources import (
    TOOLS,
    group,
    interleave,
    make_source,
    packet_hashes,
    read_units,
    run,
)
from tests.storage.making import Bench
from tests.storage.repair.making import do_chores, kill, restarted


class RepairedTests(SynchronousTestCase):
    def setUp(self) -> None:
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            raise SkipTest(f"not installed: {', '.join(missing)}")
        self.sources = Path("repaired-sources")
        self.sources.mkdir(exist_ok=True)

    def repaired(self, *names: str, cut: int, hole: bool = False) -> tuple[Path, list[str]]:
        """A block that was killed, cut and repaired; hashes of the pictures that were sent."""
        sources = [make_source(self.sources, name) for name in names]
        read = [read_units(path, n, name) for n, (path, name) in enumerate(zip(sources, names))]  # noqa: B905
        units = interleave(*read) if len(read) > 1 else read[0]
        bench = Bench(self.mktemp())
        bench.disk.start()
        recording = bench.open()
        sizes = []
        for gop in group(units):
            bench.disk.process([WriteGop(recording, gop)])
            sizes.append(bench.blocks()[0].stat().st_size)
        kill(bench)
        (block,) = bench.blocks()
        data = bytearray(block.read_bytes()[: len(block.read_bytes()) - cut])
        if hole:
            data[sizes[1] + 40 : sizes[1] + 1040] = bytes(1000)
        block.write_bytes(data)
        bench = restarted(bench.folder)
        do_chores(bench)
        bench.disk.stop()
        return block, packet_hashes(sources[0])["video"]

    def assert_clean(self, path: Path) -> None:
        """Neither ffmpeg nor MKVToolNix says a word against it."""
        decoded = run("ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-")
        self.assertEqual((decoded.returncode, decoded.stderr), (0, ""))
        told = run("mkvinfo", "--all", str(path))
        self.assertEqual(told.returncode, 0, told.stderr)
        for line in told.stdout.splitlines():
            self.assertNotIn("rror", line)
            self.assertNotIn("arning", line)
            self.assertNotIn("(corrupt)", line)
        merged = run("mkvmerge", "-o", f"{path}.merged", str(path))
        self.assertEqual(merged.returncode, 0, merged.stdout)

    def assert_repaired(self, *names: str) -> None:
        """All groups but the one that was cut are there, and players like them."""
        path, sent = self.repaired(*names, cut=20)
        self.assert_clean(path)
        found = packet_hashes(path)["video"]
        self.assertEqual(found, sent[: len(found)])
        self.assertEqual(len(found), 125)

    @proves(
        5,
        fault="the process is killed, the last group is cut",
        moment="while it records H.264 and AAC",
        outcome="ffmpeg, mkvinfo and mkvmerge find nothing wrong with the repaired block",
    )
    def test_h264_and_aac(self) -> None:
        """Pictures and sound of a block that was repaired."""
        self.assert_repaired("h264 with B-frames", "aac")

    @proves(
        5,
        fault="the process is killed, the last group is cut",
        moment="while it records H.265",
        outcome="ffmpeg, mkvinfo and mkvmerge find nothing wrong with the repaired block",
    )
    def test_h265(self) -> None:
        """Pictures of a block that was repaired."""
        self.assert_repaired("h265")

    @proves(
        5,
        fault="power is lost, a group before the last is not on the disk",
        moment="while it records H.264",
        outcome="players go on behind the Void that covers it",
    )
    def test_a_hole(self) -> None:
        """A second of pictures is missing, and nothing else."""
        path, sent = self.repaired("h264", cut=0, hole=True)
        self.assert_clean(path)
        self.assertEqual(packet_hashes(path)["video"], sent[:50] + sent[75:])
