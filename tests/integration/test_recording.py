"""From GStreamer's RTSP server to the disk: every byte and every millisecond arrives.

A clip is encoded, served over each transport, and recorded by the program as a user starts it.
ffprobe reads the clip and the blocks, and both must hold the same samples at the same times.
"""

from collections.abc import Sequence
from pathlib import Path

from twisted.internet import reactor, task
from twisted.trial.unittest import TestCase

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
    sound,
)
from tests.integration.peers import require_program, start_gst_server, start_peer
from tests.protocols.certificates import issue

#: The recorder runs for so long, and ends before the clip does.
RECORDED_SECONDS = 9
#: So much of the clip, at least, is then in the blocks.
COMPARED_SECONDS = 6
#: An encoder's first audio frames prime the decoder; players, and GStreamer, leave them out.
MAX_PRIMING_FRAMES = 2
TRANSPORTS = ("rtspt", "rtspu", "rtsph", "rtsps")
#: Recorder and server read the same clock; what is left is the noise of the sender reports.
ABSOLUTE_TOLERANCE_SECONDS = 0.010


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
            path = encode(clip)
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
            path = encode(clip)
            for transport in TRANSPORTS:
                device = f"{path.stem}-{transport}"
                with self.subTest(device=device):
                    self.assertIn(device, recorded)
                    self._compare(path, recorded[device], servers[device].starts)

    def _options(self, folder: Path) -> list[str]:
        disk = f"HDD_DISK={folder / 'disk'}"
        options = ["--config", str(folder / "nvr.toml"), "--state-dir", str(folder / "state")]
        options += ["--http", "tcp:0:interface=127.0.0.1", "--https", "none", "--rtsp", "none"]
        return [*options, "--disk", disk, "--no-discovery"]

    def _compare(self, clip: Path, recorded: Recorded, starts: Sequence[float]) -> None:
        for block in recorded.blocks:
            self.assertEqual(complaints(block), "", block.name)
        self.assertEqual(len(recorded.blocks), 1)
        sent = samples(clip)["video"]
        compare(self, sent, recorded.video)
        self.assertGreater(len(recorded.video), 30 * COMPARED_SECONDS)
        began = recorded.video[0].seconds - sent[0].seconds
        error = min(abs(began - start) for start in starts)
        self.assertLess(error, ABSOLUTE_TOLERANCE_SECONDS)
        if "pcmu" in clip.name:
            heard = sound(recorded.blocks[0])
            self.assertEqual(heard, sound(clip)[: len(heard)])
            self.assertGreater(len(heard), 8000 * COMPARED_SECONDS)
        else:
            sent, found = samples(clip)["audio"], recorded.audio
            self.assertGreater(len(found), 48000 / 1024 * COMPARED_SECONDS)
            primed = [it.digest for it in sent[: MAX_PRIMING_FRAMES + 1]].index(found[0].digest)
            compare(self, sent[primed:], found)
