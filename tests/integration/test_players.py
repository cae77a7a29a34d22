"""Players and tools read what the storage writes, and find nothing to complain of."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec
from tests.integration.sources import (
    TONE,
    TOOLS,
    group,
    interleave,
    make_source,
    media_info,
    packet_hashes,
    read_units,
    run,
)
from tests.storage.making import START_US, Bench


class PlayerTests(SynchronousTestCase):
    def setUp(self) -> None:
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            raise SkipTest(f"not installed: {', '.join(missing)}")
        self.sources = Path("players-sources")  # made once, for all tests
        self.sources.mkdir(exist_ok=True)

    def units(self, name: str, track: int = 0) -> list[AccessUnit]:
        return read_units(make_source(self.sources, name), track, name)

    def record(self, gops: Sequence[Gop]) -> Path:
        """Write groups as one recording of one block."""
        self.bench = Bench(self.mktemp())
        self.bench.disk.start()
        recording = self.bench.open()
        for gop in gops:
            self.assertEqual(self.bench.write(recording, gop), [None])
        self.bench.close(recording)
        self.bench.disk.stop()
        (block,) = self.bench.blocks()
        return block

    def assert_flawless(self, path: Path) -> None:
        """No tool says anything against a file."""
        for options in ([], ["-err_detect", "explode"]):
            played = run("ffmpeg", "-v", "error", *options, "-i", str(path), "-f", "null", "-")
            self.assertEqual((played.returncode, played.stderr), (0, ""))
        shown = run("mkvinfo", "-v", "-v", str(path))
        said = shown.stdout + shown.stderr
        self.assertEqual(shown.returncode, 0, said)
        self.assertNotRegex(said.lower(), "error|warning|unknown element|invalid")
        self.assertEqual(run("mkvmerge", "--identify", str(path)).returncode, 0)
        remuxed = run("mkvmerge", "-o", str(path.with_suffix(".remuxed")), str(path))
        self.assertEqual(remuxed.returncode, 0, remuxed.stdout)

    def assert_recorded(self, name: str, kind: str, codec: str) -> dict[str, Any]:
        """Record a source alone: flawless, byte for byte, and told to be what it is."""
        path = self.record(group(self.units(name)))
        self.assert_flawless(path)
        source = packet_hashes(make_source(self.sources, name))
        self.assertEqual(packet_hashes(path), source)
        told = media_info(path)
        self.assertEqual(told[kind]["Format"], codec)
        self.assertLess(abs(float(told["General"]["Duration"]) - 6.0), 0.06)
        return told[kind]

    def test_h264(self) -> None:
        """H.264 without B-frames: size, duration and every packet."""
        told = self.assert_recorded("h264", "Video", "AVC")
        self.assertEqual((told["Width"], told["Height"]), ("320", "240"))
        self.assertEqual(float(told["FrameRate"]), 25.0)

    def test_h264_with_b_frames(self) -> None:
        """Pictures that are decoded before they are shown come out in order."""
        self.assert_recorded("h264 with B-frames", "Video", "AVC")

    def test_h265(self) -> None:
        """H.265 with open GOPs: leading pictures belong to the key frame before them in time."""
        told = self.assert_recorded("h265", "Video", "HEVC")
        self.assertEqual((told["Width"], told["Height"]), ("320", "240"))

    def test_jpeg(self) -> None:
        """Motion JPEG: each frame a key frame."""
        self.assert_recorded("jpeg", "Video", "V_MJPEG")  # mediainfo has no other word for it

    def test_aac(self) -> None:
        """AAC alone."""
        told = self.assert_recorded("aac", "Audio", "AAC")
        self.assertEqual(told["SamplingRate"], "32000")

    def test_pcmu(self) -> None:
        """G.711 µ-law alone."""
        told = self.assert_recorded("pcmu", "Audio", "ADPCM")
        self.assertEqual((told["SamplingRate"], told["Channels"]), ("8000", "1"))

    def test_pcma(self) -> None:
        """G.711 A-law alone."""
        self.assert_recorded("pcma", "Audio", "ADPCM")

    def test_opus(self) -> None:
        """Opus alone."""
        self.assert_recorded("opus", "Audio", "Opus")

    def test_l16(self) -> None:
        """Linear samples, highest byte first."""
        self.assert_recorded("l16", "Audio", "PCM")

    def test_picture_and_sound(self) -> None:
        """H.264 with each sound codec: interleaved, each packet of both."""
        video = self.units("h264")
        for name in ("aac", "pcmu", "opus"):
            audio = self.units(name, track=1)
            path = self.record(group(interleave(video, audio)))
            self.assert_flawless(path)
            hashes = packet_hashes(path)
            expected = packet_hashes(make_source(self.sources, "h264"))
            expected.update(packet_hashes(make_source(self.sources, name)))
            self.assertEqual(hashes, expected)

    def test_g726(self) -> None:
        """G.726 as RTP packs it is stored as files pack it, the same code words."""
        source = self.sources / "g726.raw"
        tone = [part.format(rate=8000) for part in TONE]
        for codec, suffix in (("g726le", "low"), ("g726", "high")):
            made = run(
                *("ffmpeg", "-v", "error", "-y", *tone, "-c:a", codec, "-b:a", "32k"),
                *("-f", codec, str(source.with_suffix(f".{suffix}"))),
            )
            self.assertEqual(made.stderr, "")
        low = source.with_suffix(".low").read_bytes()
        form = AudioFormat(Codec.G726, b"", 8000, 1, 4)
        units = [
            AccessUnit(0, START_US + at * 250, at, True, low[at : at + 160], form)
            for at in range(0, len(low), 160)
        ]
        path = self.record(group(units))
        self.assert_flawless(path)
        raw = run(
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-i",
            str(path),
            "-c",
            "copy",
            "-f",
            "g726",
            "-y",
            str(source.with_suffix(".out")),
        )
        self.assertEqual(raw.stderr, "")
        stored = source.with_suffix(".out").read_bytes()
        self.assertEqual(stored, source.with_suffix(".high").read_bytes())

    def test_an_open_block_plays(self) -> None:
        """A block that is being written plays up to its last cluster, and one that is cut too."""
        gops = group(interleave(self.units("h264"), self.units("aac", track=1)))
        bench = Bench(self.mktemp())
        bench.disk.start()
        recording = bench.open()
        for gop in gops:
            bench.write(recording, gop)
        (block,) = bench.blocks()
        played = run("ffmpeg", "-v", "error", "-i", str(block), "-f", "null", "-")
        self.assertEqual((played.returncode, played.stderr), (0, ""))
        self.assertEqual(len(packet_hashes(block)["video"]), 150)
        bench.disk.stop()
