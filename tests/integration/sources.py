"""Streams that ffmpeg makes, as the units of a camera; and tools that read files."""

import json
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, Format, VideoFormat
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import Files
from axis_nvr.wire.matroska_elements import VIDEO_TRACK
from tests.storage.making import START_US, gop_of

TOOLS = ("ffmpeg", "ffprobe", "mkvinfo", "mkvmerge", "mediainfo")
PICTURES = ["-f", "lavfi", "-i", "testsrc=duration=6:size=320x240:rate=25"]
TONE = ["-f", "lavfi", "-i", "sine=duration=6:frequency=440:sample_rate={rate}"]
PLAIN = ["-pix_fmt", "yuv420p", "-preset", "ultrafast"]
H264 = ["-c:v", "libx264", *PLAIN, "-g", "25", "-x264-params"]
#: What `ffmpeg` makes of the test card and the tone, by name.
SOURCES: dict[str, list[str]] = {
    "h264": [*PICTURES, *H264, "scenecut=0:bframes=0"],
    "h264 with B-frames": [*PICTURES, *H264, "scenecut=0:bframes=3:b-pyramid=normal"],
    "h265": [
        *PICTURES,
        *("-c:v", "libx265", *PLAIN),
        *("-x265-params", "keyint=25:min-keyint=25:scenecut=0:open-gop=1:log-level=error"),
    ],
    "jpeg": [*PICTURES, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
    "aac": [*TONE, "-c:a", "aac"],
    "pcmu": [*TONE, "-c:a", "pcm_mulaw"],
    "pcma": [*TONE, "-c:a", "pcm_alaw"],
    "opus": [*TONE, "-c:a", "libopus"],
    "l16": [*TONE, "-c:a", "pcm_s16be"],
}
RATES = {"aac": 32000, "opus": 48000, "l16": 16000}
AUDIO_CODECS = {
    "aac": Codec.AAC,
    "pcmu": Codec.PCMU,
    "pcma": Codec.PCMA,
    "opus": Codec.OPUS,
    "l16": Codec.L16,
}


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def make_source(folder: Path, name: str) -> Path:
    """Let ffmpeg make a stream, in a Matroska file of its own."""
    path = folder / f"{name.replace(' ', '-')}.mkv"
    if not path.exists():
        options = [part.format(rate=RATES.get(name, 8000)) for part in SOURCES[name]]
        made = run("ffmpeg", "-v", "error", "-y", *options, "-f", "matroska", str(path))
        assert made.returncode == 0, made.stderr
    return path


def read_units(path: Path, track: int, name: str) -> list[AccessUnit]:
    """Read a source as the units a camera would have sent."""
    with BlockReader(Files(), path) as block:
        (entry,) = block.tracks
        form: Format
        if entry.kind == VIDEO_TRACK:
            codec = Codec.H265 if "265" in name else Codec.JPEG if name == "jpeg" else Codec.H264
            private = b"" if codec is Codec.JPEG else entry.codec_private
            form = VideoFormat(codec, private, entry.width, entry.height, Fraction(25))
        else:
            codec = AUDIO_CODECS[name]
            private = entry.codec_private if codec in (Codec.AAC, Codec.OPUS) else b""
            form = AudioFormat(codec, private, entry.sample_rate, entry.channels, entry.bit_depth)
        return [
            AccessUnit(
                track,
                START_US + frame.time_ms * 1000,
                frame.time_ms * 90,
                frame.keyframe,
                bytes(frame.data),
                form,
            )
            for span in block.clusters()
            for frame in block.read_cluster(span).frames
        ]


def group(units: Sequence[AccessUnit], seconds: float = 1.0) -> list[Gop]:
    """Group units as the GOP buffer does: at key frames, sound alone each second."""
    main = units[0].track if len({unit.track for unit in units}) == 1 else 0
    starts = [at for at, unit in enumerate(units) if unit.track == main and unit.sync]
    kept, last_us = [], None
    for at in starts:
        if last_us is None or units[at].utc_us - last_us >= seconds * 0.99e6:
            kept.append(at)
            last_us = units[at].utc_us
    gops = []
    for begin, end in zip(kept, [*kept[1:], len(units)], strict=True):
        end_us = units[end].utc_us if end < len(units) else None
        gops.append(gop_of(units[begin:end], end_us))
    return gops


def interleave(video: Sequence[AccessUnit], audio: Sequence[AccessUnit]) -> list[AccessUnit]:
    """Put sound between pictures by time of arrival; the first is a picture."""
    order = {id(unit): START_US + at * 40_000 for at, unit in enumerate(video)}
    return sorted([*video, *audio], key=lambda unit: order.get(id(unit), unit.utc_us + 1))


def packet_hashes(path: Path) -> dict[str, list[str]]:
    """Hash of each packet's bytes as ffprobe reads them, by kind of stream."""
    options = ("-show_packets", "-show_data_hash", "MD5", "-of", "json")
    probed = run("ffprobe", "-v", "error", *options, str(path))
    hashes: dict[str, list[str]] = {}
    for packet in json.loads(probed.stdout)["packets"]:
        hashes.setdefault(packet["codec_type"], []).append(packet["data_hash"])
    return hashes


def media_info(path: Path) -> dict[str, dict[str, Any]]:
    """What mediainfo says, by kind of track."""
    told = json.loads(run("mediainfo", "--Output=JSON", str(path)).stdout)
    return {track["@type"]: track for track in told["media"]["track"]}
