"""From GStreamer's RTSP server to the disk: every byte and every millisecond arrives.

A clip is encoded, served over each transport, and recorded by the program as a user starts it.
ffprobe reads the clip and the blocks, and both must hold the same samples at the same times.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from twisted.internet import reactor, task
from twisted.trial.unittest import TestCase

from tests.integration.peers import require_program, start_gst_server, start_peer
from tests.protocols.certificates import issue

CLIP_SECONDS = 16
#: The recorder runs for so long, and ends before the clip does.
RECORDED_SECONDS = 12
#: So much of the clip, at least, is then in the blocks.
COMPARED_SECONDS = 9
#: An encoder's first audio frames prime the decoder; players, and GStreamer, leave them out.
MAX_PRIMING_FRAMES = 2
RECORDER = [sys.executable, "-m", "twisted", "axis-nvr"]
TRANSPORTS = ("rtspt", "rtspu", "rtsph", "rtsps")
#: Recorder and server read the same clock; what is left is the noise of the sender reports.
ABSOLUTE_TOLERANCE_SECONDS = 0.010


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
        "-c:v libx264 -preset veryfast -bf 2 -g 30 -c:a aac -ar 48000 -ac 2",
        "( filesrc location={path} ! qtdemux name=d"
        " d.video_0 ! queue ! rtph264pay config-interval=-1 name=pay0 pt=96"
        " d.audio_0 ! queue ! rtpmp4gpay name=pay1 pt=97 )",
    ),
    Clip(
        "h265-pcmu.mkv",
        "-c:v libx265 -preset ultrafast -x265-params bframes=3:keyint=30:log-level=error"
        " -c:a pcm_mulaw -ar 8000 -ac 1",
        "( filesrc location={path} ! matroskademux name=d"
        " d.video_0 ! queue ! h265parse ! rtph265pay config-interval=-1 name=pay0 pt=96"
        " d.audio_0 ! queue ! rtppcmupay name=pay1 pt=0 )",
    ),
)


def encode(clip: Clip, folder: Path) -> Path:
    """Make a clip: a moving test card and a tone."""
    path = folder / clip.name
    card, tone = "testsrc2=s=640x360:r=30", "sine=440"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", card, "-f", "lavfi", "-i", tone]
    command += ["-t", str(CLIP_SECONDS), *clip.encode.split(), str(path)]
    subprocess.run(command, check=True)
    return path


def samples(path: Path, kind: str) -> list[Sample]:
    """Read the samples of the first video (``v``) or audio (``a``) track, in decoding order."""
    command = ["ffprobe", "-v", "error", "-select_streams", kind, "-show_packets"]
    command += ["-show_data_hash", "sha256", "-show_entries", "packet=pts_time,data_hash"]
    output = subprocess.run(
        [*command, "-of", "json", str(path)], check=True, capture_output=True
    ).stdout
    packets = json.loads(output)["packets"]
    return [Sample(float(packet["pts_time"]), packet["data_hash"]) for packet in packets]


def complaints(path: Path) -> str:
    """Decode a file, and tell what ffmpeg has to say about it."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


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
        tracks: dict[str, list[Sample]] = {"v": [], "a": []}
        for block in blocks:
            text = ElementTree.parse(block.with_suffix(".xml")).getroot().findtext("StartTime")
            start = datetime.fromisoformat(text or "").timestamp()
            for kind, found in tracks.items():
                found += [Sample(start + at, digest) for at, digest in samples(block, kind)]
        devices[device] = Recorded(blocks, tracks["v"], tracks["a"])
    return devices


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


class RecordingTests(TestCase):
    """One recorder, two clips, four transports, all at the same time."""

    timeout = 120

    async def test_everything_sent_is_recorded(self) -> None:
        """Each sample of each clip is in the blocks, byte for byte and to the millisecond."""
        require_program("ffprobe")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        issued = issue("server")
        (folder / "server.pem").write_bytes(issued.pem + issued.key_pem)
        config, servers = "", {}
        for clip in CLIPS:
            path = encode(clip, folder)
            options = ["--report-start", "--launch", clip.launch.format(path=path)]
            plain = await start_gst_server(self, reactor, *options)
            options += ["--certificate", str(folder / "server.pem")]
            secure = await start_gst_server(self, reactor, *options)
            for transport in TRANSPORTS:
                device = f"{path.stem}-{transport}"
                servers[device] = secure if transport == "rtsps" else plain
                config += camera(device, transport, servers[device].port)
        (folder / "nvr.toml").write_text(config)
        recorder = await start_peer(self, reactor, [*RECORDER, *self._options(folder)])
        await task.deferLater(reactor, RECORDED_SECONDS)
        assert recorder.transport is not None
        recorder.transport.signalProcess("INT")
        await recorder.ended
        recorded = recorded_by_device(folder / "disk")
        for clip in CLIPS:
            for transport in TRANSPORTS:
                device = f"{Path(clip.name).stem}-{transport}"
                with self.subTest(device=device):
                    self.assertIn(device, recorded)
                    self._compare(folder / clip.name, recorded[device], servers[device].starts)

    def _options(self, folder: Path) -> list[str]:
        disk = f"HDD_DISK={folder / 'disk'}"
        options = ["--config", str(folder / "nvr.toml"), "--state-dir", str(folder / "state")]
        options += ["--http", "tcp:0:interface=127.0.0.1", "--https", "none", "--rtsp", "none"]
        return [*options, "--disk", disk, "--no-discovery"]

    def _compare(self, clip: Path, recorded: Recorded, starts: Sequence[float]) -> None:
        for block in recorded.blocks:
            self.assertEqual(complaints(block), "", block.name)
        self.assertEqual(len(recorded.blocks), 1)
        sent = samples(clip, "v")
        self._compare_samples(sent, recorded.video)
        self.assertGreater(len(recorded.video), 30 * COMPARED_SECONDS)
        began = recorded.video[0].seconds - sent[0].seconds
        error = min(abs(began - start) for start in starts)
        self.assertLess(error, ABSOLUTE_TOLERANCE_SECONDS)
        if "pcmu" in clip.name:
            heard = sound(recorded.blocks[0])
            self.assertEqual(heard, sound(clip)[: len(heard)])
            self.assertGreater(len(heard), 8000 * COMPARED_SECONDS)
        else:
            sent, found = samples(clip, "a"), recorded.audio
            self.assertGreater(len(found), 48000 / 1024 * COMPARED_SECONDS)
            primed = [it.digest for it in sent[: MAX_PRIMING_FRAMES + 1]].index(found[0].digest)
            self._compare_samples(sent[primed:], found)

    def _compare_samples(self, sent: Sequence[Sample], found: Sequence[Sample]) -> None:
        """Each sample is there, and as long after the first one as it was in the clip."""
        self.assertEqual([it.digest for it in found], [it.digest for it in sent[: len(found)]])
        for index, (one, other) in enumerate(zip(sent, found, strict=False)):
            error = (other.seconds - found[0].seconds) - (one.seconds - sent[0].seconds)
            self.assertLessEqual(abs(error), 0.001 + 1e-6, f"sample {index}")
