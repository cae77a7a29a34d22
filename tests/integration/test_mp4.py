"""Fragmented MP4 of ours, read by ffmpeg: every sample, every time, no complaint."""

import json
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from axis_nvr.media.formats import h264_format, h265_format
from axis_nvr.media.units import Codec
from axis_nvr.simulator.bitstream import AAC_CONFIG, aac_frames, video_bitstream
from axis_nvr.wire.isobmff import (
    Run,
    Sample,
    SampleTrack,
    aac_entry,
    avc_entry,
    build_fragment,
    build_head,
    hevc_entry,
    log_pcm_entry,
)
from tests.integration.peers import require_program

reactor: Any = installed_reactor
PICTURES = 60
#: Of 25 pictures a second at 90 kHz.
PICTURE_TICKS = 3600


def length_prefixed(units: tuple[bytes, ...]) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


class Mp4Tests(TestCase):
    timeout = 120

    def write(self, tracks: list[SampleTrack], samples: dict[int, list[bytes]]) -> Path:
        """A file with a second of each track in every fragment."""
        path = Path(self.mktemp())
        parts = [build_head(tracks)]
        rates = {1: (25, PICTURE_TICKS), 2: (16, 1024)}
        for number in range(2):
            runs, data = [], b""
            for track in tracks:
                count, ticks = rates[track.track_id]
                part = samples[track.track_id][number * count : (number + 1) * count]
                table = [
                    Sample(ticks, len(s), not track.is_video or (number == 0 and i == 0))
                    for i, s in enumerate(part)
                ]
                runs.append(Run(track.track_id, number * count * ticks, table))
                data += b"".join(part)
            parts += [build_fragment(number + 1, runs), data]
        path.write_bytes(b"".join(parts))
        return path

    async def read(self, path: Path) -> list[list[tuple[int, int]]]:
        """Size and decoding time of all packets, by track; ffmpeg decodes them without a word."""
        decode = ("-v", "error", "-i", str(path), "-f", "null", "-")
        _, errors, code = await getProcessOutputAndValue(require_program("ffmpeg"), decode)
        self.assertEqual((errors, code), (b"", 0))
        arguments = ("-v", "error", "-show_packets", "-of", "json", str(path))
        output, errors, _ = await getProcessOutputAndValue(require_program("ffprobe"), arguments)
        self.assertEqual(errors, b"")
        tracks: list[list[tuple[int, int]]] = [[], []]
        for packet in json.loads(output)["packets"]:
            tracks[packet["stream_index"]].append((int(packet["size"]), packet["dts"]))
        return tracks

    async def check(self, codec: Codec, sound: bytes | None) -> None:
        video = video_bitstream(codec, 640, 360)
        units = [video.units(n)[len(video.parameter_sets) * (not n) :] for n in range(50)]
        samples = {1: [length_prefixed(u) for u in units]}
        sets = video.parameter_sets
        if codec is Codec.H264:
            configuration = h264_format(sets[:1], sets[1:]).codec_private
            entry = avc_entry(640, 360, configuration)
        else:
            configuration = h265_format(sets[:1], sets[1:2], sets[2:]).codec_private
            entry = hevc_entry(640, 360, configuration)
        tracks = [SampleTrack(1, "Video", 90_000, True, (entry,), 640, 360)]
        if sound is not None:
            samples[2] = list(aac_frames()[:32])
            if sound == b"ulaw":
                samples[2] = [bytes(1024)] * 32
            entries = aac_entry(1, 16_000, AAC_CONFIG), log_pcm_entry(b"ulaw", 1, 16_000)
            tracks.append(SampleTrack(2, "Audio", 16_000, False, (entries[sound == b"ulaw"],)))
        found = await self.read(self.write(tracks, samples))
        for track in tracks:
            ticks = PICTURE_TICKS if track.is_video else 1024
            written = [(len(s), n * ticks) for n, s in enumerate(samples[track.track_id])]
            self.assertEqual(found[track.track_id - 1], written)

    async def test_h264_and_aac(self) -> None:
        """Pictures and sound, in one file."""
        await self.check(Codec.H264, b"mp4a")

    async def test_h265_and_g711(self) -> None:
        """The other codings."""
        await self.check(Codec.H265, b"ulaw")

    async def test_h265_alone(self) -> None:
        """Pictures alone."""
        await self.check(Codec.H265, None)
