"""Protected media (SRTP) with real peers: GStreamer's server recorded, its client served."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet import task
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from axis_nvr.session.server.srtp import KeySource
from axis_nvr.simulator.camera import VirtualCamera, virtual_camera
from tests.integration.clips import (
    CLIPS,
    RECORDER,
    Recorded,
    camera,
    compare,
    complaints,
    encode,
    recorded_by_device,
    samples,
)
from tests.integration.peers import (
    check_gstreamer,
    require_program,
    start_gst_server,
    start_peer,
)
from tests.protocols.certificates import issue

reactor: Any = installed_reactor
#: The recorder runs for so long.
RECORDED_SECONDS = 6
#: So much of what is sent, at least, is then in the blocks.
COMPARED_SECONDS = 3
#: How long a player may take, in seconds.
PATIENCE_SECONDS = 60.0
TRANSPORTS = ("rtspt", "rtspu", "rtsph", "rtsps")
VIRTUAL = ((KeySource.OFFERED, "rtspu"), (KeySource.DEMANDED, "rtspt"))
#: Pictures that a player takes, in GOPs of so many.
PLAYED_PICTURES, GOP_PICTURES = 25, 10


def virtual_cameras(test: TestCase) -> dict[KeySource, VirtualCamera]:
    """Start a virtual camera for each way to agree on keys."""
    cameras = {}
    for source in KeySource:
        cameras[source] = virtual_camera(reactor, srtp=source)
        cameras[source].startService()
        test.addCleanup(cameras[source].stopService)
    return cameras


def virtual(device: str, protocol: str, url: str) -> str:
    """Write the configuration of a virtual camera and of its recording."""
    options = f"device={device}&fps=25&resolution=640x360&videokeyframeinterval={GOP_PICTURES}"
    text = camera(device, protocol, 0).replace(f"device={device}&audio=1", options)
    return text.replace("rtsp://127.0.0.1:0/stream", url)


class RecordingTests(TestCase):
    """One recorder, GStreamer's server by four ways, two virtual cameras, all at the same time."""

    timeout = 120

    async def test_everything_sent_is_recorded(self) -> None:
        """Each protected sample is in the blocks, byte for byte and to the millisecond."""
        require_program("ffprobe")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        issued = issue("server")
        (folder / "server.pem").write_bytes(issued.pem + issued.key_pem)
        clip = CLIPS[0]
        path = encode(clip)
        config, servers = "", {}
        for transport in TRANSPORTS:
            profile = "SAVPF" if transport == "rtsph" else "SAVP"
            options = ["--srtp", profile, "--launch", clip.launch.format(path=path)]
            if transport == "rtsps":
                options += ["--certificate", str(folder / "server.pem")]
            prefix = ["env", "GST_DEBUG=srtpdec:4"]
            servers[transport] = await start_gst_server(self, reactor, *options, prefix=prefix)
            config += camera(transport, transport, servers[transport].port)
        cameras = virtual_cameras(self)
        for source, protocol in VIRTUAL:
            config += virtual(source, protocol, cameras[source].rtsp_url())
        (folder / "nvr.toml").write_text(config)
        options = ["--config", str(folder / "nvr.toml"), "--state-dir", str(folder / "state")]
        options += ["--http", "tcp:0:interface=127.0.0.1", "--https", "none", "--rtsp", "none"]
        options += ["--disk", f"HDD_DISK={folder / 'disk'}", "--no-discovery"]
        recorder = await start_peer(self, reactor, [*RECORDER, *options])
        await task.deferLater(reactor, RECORDED_SECONDS)
        assert recorder.transport is not None
        recorder.transport.signalProcess("INT")
        await recorder.ended
        recorded = recorded_by_device(folder / "disk")
        self.assertEqual({*TRANSPORTS, *KeySource}, set(recorded), recorder.errors)
        for transport in TRANSPORTS:
            with self.subTest(transport=transport):
                self._compare(path, recorded[transport])
                # what opens the way for datagrams is not protected, and the server says so
                if transport != "rtspu":
                    self.assertIn("Setting RTCP policy", servers[transport].errors)
                    self.assertNotIn("WARN", servers[transport].errors)
        for source in KeySource:
            with self.subTest(source=source):
                found = recorded[source]
                self.assertEqual([complaints(block) for block in found.blocks], [""])
                self.assertGreater(len(found.video), 25 * COMPARED_SECONDS)

    def _compare(self, clip: Path, recorded: Recorded) -> None:
        """What was recorded is the clip from its beginning, with the same times."""
        self.assertEqual([complaints(block) for block in recorded.blocks], [""])
        sent = samples(clip)["video"]
        compare(self, sent, recorded.video)
        self.assertGreater(len(recorded.video), 30 * COMPARED_SECONDS)
        sent, found = samples(clip)["audio"], recorded.audio
        self.assertGreater(len(found), 48000 / 1024 * COMPARED_SECONDS)
        primed = [it.digest for it in sent].index(found[0].digest)
        compare(self, sent[primed:], found)


class PlayerTests(TestCase):
    """GStreamer plays the virtual camera."""

    timeout = 120

    async def test_rtspsrc(self) -> None:
        """GStreamer takes the offered key, by TCP and by UDP, and gets the camera's very bytes."""
        gst_launch = require_program("gst-launch-1.0")
        protected = virtual_cameras(self)[KeySource.OFFERED]
        plain = virtual_camera(reactor)
        plain.startService()
        self.addCleanup(plain.stopService)
        pictures = []
        for source, protocol in ((plain, "tcp"), (protected, "tcp"), (protected, "udp")):
            path = Path(self.mktemp()).absolute()
            url = source.rtsp_url(fps=25, resolution="640x360", videokeyframeinterval=GOP_PICTURES)
            line = (
                f"rtspsrc location={url} protocols={protocol} latency=50 ! rtph264depay"
                " ! video/x-h264,stream-format=byte-stream,alignment=au"
                f" ! identity eos-after={PLAYED_PICTURES} ! filesink location={path}"
            )
            playing = getProcessOutputAndValue(gst_launch, ["-q", *line.split()], env=None)
            _, errors, code = await playing.addTimeout(PATIENCE_SECONDS, reactor)
            check_gstreamer(errors.decode(), code)
            pictures.append(path.read_bytes())
        self.assertGreater(len(pictures[0]), 10_000)
        for found in pictures[1:]:
            self.assertEqual(found, pictures[0])
