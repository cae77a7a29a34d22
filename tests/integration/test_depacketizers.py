"""Streams of real encoders, cut into packets at random and put together again."""

import random
import shutil
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Codec
from axis_nvr.wire import nal
from axis_nvr.wire.nal import split_annex_b, split_sample
from tests.session.depacketizers import payloads
from tests.session.streams import START_US, Recorder, Sender, interleaved, report, track

FFMPEG = shutil.which("ffmpeg") or ""
SOURCE = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "3"]
X264 = ["-c:v", "libx264", "-g", "20", "-bf", "2"]
X265 = ["-c:v", "libx265", "-x265-params", "keyint=20:log-level=none:slices=2"]
ENCODERS = {
    "H.264 with B-frames": (Codec.H264, [*X264, "-f", "h264"]),
    "H.264 of 4 slices": (Codec.H264, [*X264, "-slices", "4", "-aud", "1", "-f", "h264"]),
    "H.265": (Codec.H265, [*X265, "-f", "hevc"]),
}


def elementary_stream(arguments: list[str]) -> list[bytes]:
    """The NAL units that an encoder makes."""
    command = [FFMPEG, "-v", "error", *SOURCE, *arguments, "-"]
    return split_annex_b(subprocess.run(command, capture_output=True, check=True).stdout)


def access_units(codec: Codec, nal_units: list[bytes]) -> list[list[bytes]]:
    """Group NAL units by the first slice of each picture (H.264 §7.4.1.2.3, H.265 §7.4.2.4.4)."""
    is_h264 = codec is Codec.H264
    kind_of = nal.h264_nal_type if is_h264 else nal.h265_nal_type
    vcl = nal.H264_VCL if is_h264 else nal.H265_VCL
    is_first = nal.h264_first_slice if is_h264 else nal.h265_first_slice
    before = nal.H264_BEFORE_PICTURE if is_h264 else nal.H265_BEFORE_PICTURE
    units: list[list[bytes]] = [[]]
    has_slice = False
    for unit in nal_units:
        is_slice = kind_of(unit) in vcl
        if has_slice and (kind_of(unit) in before or (is_slice and is_first(unit))):
            units.append([])
            has_slice = False
        units[-1].append(unit)
        has_slice = has_slice or is_slice
    return units


def packetize(codec: Codec, unit: list[bytes], limit: int, chance: random.Random) -> list[bytes]:
    """Lay a unit into payloads of at most `limit` bytes: single, aggregated or fragmented."""
    fragment, aggregate = (
        (payloads.fu_a, payloads.stap_a) if codec is Codec.H264 else (payloads.fu, payloads.ap)
    )
    made: list[bytes] = []
    waiting: list[bytes] = []

    def flush() -> None:
        if len(waiting) > 1:
            made.append(aggregate(*waiting))
        else:
            made.extend(waiting)
        waiting.clear()

    for one in unit:
        if len(one) > limit:
            flush()
            made.extend(fragment(one, limit))
        else:
            if sum(len(w) + 2 for w in [*waiting, one]) + 2 > limit or chance.random() < 0.5:
                flush()
            waiting.append(one)
    flush()
    return made


def is_parameter_set(codec: Codec, unit: bytes) -> bool:
    if codec is Codec.H264:
        return nal.h264_nal_type(unit) in nal.H264_PARAMETER_SETS
    return nal.h265_nal_type(unit) in nal.H265_PARAMETER_SETS


class RoundTripTests(SynchronousTestCase):
    if not FFMPEG:
        skip = "ffmpeg is not installed"

    def received(self, codec: Codec, units: list[list[bytes]], seed: int) -> list[AccessUnit]:
        """What comes of units packed and cut at random."""
        chance = random.Random(seed)
        sender = Sender(sequence_number=chance.randrange(65536))
        limit = chance.choice([60, 300, 1386, 1386, 9986])
        data = interleaved(1, report(0, START_US + 100_000_000))
        for index, unit in enumerate(units):
            for packet in sender.unit(packetize(codec, unit, limit, chance), 3600 * index):
                data += interleaved(0, packet)
        recorder = Recorder([track(0, codec)])
        start = 0
        while start < len(data):
            end = start + chance.choice([1, 100, 1500, 20_000, 200_000])
            recorder.feed(data[start:end])
            start = end
        recorder.media.finish()
        self.assertEqual(recorder.media.session_statistics.skipped_bytes, 0)
        return recorder.units

    def test_every_byte_comes_back(self) -> None:
        """Each NAL unit of each encoder comes back, byte for byte, in its unit."""
        for name, (codec, arguments) in ENCODERS.items():
            units = access_units(codec, elementary_stream(arguments))
            self.assertEqual(len(units), 75, name)
            for seed in range(6):
                got = self.received(codec, units, seed)
                self.assertEqual([unit.timestamp for unit in got], [3600 * i for i in range(75)])
                for sent, unit in zip(units, got, strict=True):
                    kept = [one for one in sent if not is_parameter_set(codec, one)]
                    self.assertEqual(list(map(bytes, split_sample(unit.data))), kept)
                    self.assertIsNone(unit.gap)
                self.assertEqual((got[0].format.width, got[0].format.height), (320, 240))  # type: ignore[union-attr]
                self.assertTrue(all(unit.format is got[0].format for unit in got))
                self.assertGreaterEqual(sum(unit.sync for unit in got), 4)
                self.assertTrue(got[0].sync)
