"""Clips that are served and recorded, and what of them is in the blocks."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from twisted.trial.unittest import TestCase

#: Where clips are kept once they are made, for all tests of a run.
CLIPS_FOLDER = Path("clips")
CLIP_SECONDS = 12
RECORDER = [sys.executable, "-m", "twisted", "axis-nvr"]


class Sample(NamedTuple):
    """One coded picture or audio frame as ffprobe tells it."""

    seconds: float
    digest: str


class Clip(NamedTuple):
    """What is served, and how ffmpeg and GStreamer make and serve it."""

    name: str
    encode: str
    launch: str


CLIPS = (
    Clip(
        "h264-aac.mp4",
        "-c:v libx264 -preset veryfast -crf 14 -bf 2 -g 30 -c:a aac -ar 48000 -ac 2",
        "( filesrc location={path} ! qtdemux name=d"
        " d.video_0 ! queue ! rtph264pay config-interval=-1 name=pay0 pt=96"
        " d.audio_0 ! queue ! rtpmp4gpay name=pay1 pt=97 )",
    ),
    Clip(
        "h265-pcmu.mkv",
        "-c:v libx265 -preset ultrafast -crf 18"
        " -x265-params bframes=3:keyint=30:log-level=error"
        " -c:a pcm_mulaw -ar 8000 -ac 1",
        "( filesrc location={path} ! matroskademux name=d"
        " d.video_0 ! queue ! h265parse ! rtph265pay config-interval=-1 name=pay0 pt=96"
        " d.audio_0 ! queue ! rtppcmupay name=pay1 pt=0 )",
    ),
)


def encode(clip: Clip) -> Path:
    """Make a clip: a moving test card and a tone; small, but most pictures fill several packets."""
    path = CLIPS_FOLDER.absolute() / clip.name
    if path.exists():
        return path
    path.parent.mkdir(exist_ok=True)
    card, tone = "testsrc2=s=320x180:r=30", "sine=440"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", card, "-f", "lavfi", "-i", tone]
    command += ["-t", str(CLIP_SECONDS), *clip.encode.split(), str(path)]
    subprocess.run(command, check=True)
    return path


@cache
def samples(path: Path) -> dict[str, list[Sample]]:
    """Read the samples of a file by kind, ``video`` and ``audio``, in decoding order."""
    command = ["ffprobe", "-v", "error", "-show_packets", "-show_data_hash", "sha256"]
    command += ["-show_entries", "packet=codec_type,pts_time,data_hash", "-of", "json", str(path)]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    found: dict[str, list[Sample]] = {}
    for packet in json.loads(output)["packets"]:
        sample = Sample(float(packet["pts_time"]), packet["data_hash"])
        found.setdefault(packet["codec_type"], []).append(sample)
    return found


def complaints(path: Path) -> str:
    """Decode a file, and tell what ffmpeg has to say about it."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


@cache
def sound(path: Path) -> bytes:
    """Read the G.711 samples of a file, one behind another."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "a", "-c", "copy"]
    return subprocess.run([*command, "-f", "mulaw", "-"], check=True, capture_output=True).stdout


class Recorded(NamedTuple):
    """What a device's blocks hold, and the wall-clock second of each sample."""

    blocks: list[Path]
    video: list[Sample]
    audio: list[Sample]


def recorded_by_device(disk: Path) -> dict[str, Recorded]:
    """Read all blocks of a disk by ffprobe, the start of each from the XML beside it."""
    devices = {}
    for description in sorted(disk.glob("*/*/*/recording.xml")):
        recording = ElementTree.parse(description).getroot()
        device = recording.findtext("CustomAttributes/Device") or ""
        blocks = sorted(description.parent.glob("*/*.mkv"))
        tracks: dict[str, list[Sample]] = {"video": [], "audio": []}
        for block in blocks:
            text = ElementTree.parse(block.with_suffix(".xml")).getroot().findtext("StartTime")
            start = datetime.fromisoformat(text or "").timestamp()
            for kind, found in tracks.items():
                more = samples(block).get(kind, [])
                found += [Sample(start + at, digest) for at, digest in more]
        devices[device] = Recorded(blocks, **tracks)
    return devices


def compare(test: TestCase, sent: Sequence[Sample], found: Sequence[Sample]) -> None:
    """Make sure that each sample is there, as long after the first one as it was in the clip."""
    test.assertEqual([it.digest for it in found], [it.digest for it in sent[: len(found)]])
    for index, (one, other) in enumerate(zip(sent, found, strict=False)):
        error = (other.seconds - found[0].seconds) - (one.seconds - sent[0].seconds)
        test.assertLessEqual(abs(error), 0.001 + 1e-6, f"sample {index}")


def camera(device: str, protocol: str, port: int) -> str:
    """Write the configuration of a camera and of its recording."""
    return f"""
[[camera]]
id = "{device}"
url = "rtsp://127.0.0.1:{port}/stream"
protocol = "{protocol}"

[[recording]]
disk = "HDD_DISK"
options = "device={device}&audio=1"
"""
