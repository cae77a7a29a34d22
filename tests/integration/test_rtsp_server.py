"""The recorder's RTSP server against the players that people use."""

import socket
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from axis_nvr.media.stream_options import StreamOptions
from tests.integration.live_recorder import Delivered, LiveRecorderTestCase, reactor
from tests.integration.peers import PATIENCE_SECONDS, require_program, start_program
from tests.integration.test_virtual_camera import gstreamer, run, together

H264 = "device=front&videocodec=h264&resolution=640x360&fps=25&videokeyframeinterval=25&audio=1"
H265 = "device=back&videocodec=h265&resolution=640x360&fps=25&videokeyframeinterval=25"
#: The first bytes of a stream that begins with a video parameter set of H.265.
H265_START = b"\0\0\0\1\x40"


async def frames(url: str, transport: str, count: int) -> dict[int, list[str]]:
    """The MD5 of frames that ffmpeg receives, by track, without decoding.

    It may warn of the first picture, whose time it does not tell when it does not decode.
    """
    output, errors, code = await run(
        "ffmpeg",
        *("-nostdin", "-loglevel", "error", "-rtsp_transport", transport, "-i", url),
        *("-map", "0", "-c", "copy", "-frames:v", count, "-f", "framemd5", "-"),
    )
    assert (errors, code) == ("", 0), errors
    found: dict[int, list[str]] = {}
    for line in output.splitlines():
        if not line.startswith("#"):
            fields = [field.strip() for field in line.split(",")]
            found.setdefault(int(fields[0]), []).append(fields[5])
    return found


async def byte_stream(url: str, count: int, file: Path) -> bytes:
    """The pictures that ffmpeg receives, as a byte stream."""
    await run(
        "ffmpeg",
        *("-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url, "-map", "0:v"),
        *("-c", "copy", "-frames:v", count, "-f", "data", file),
    )
    return file.read_bytes()


class RtspServerTests(LiveRecorderTestCase):
    def delivered(self, options: str) -> Delivered:
        """Have a stream running, as a recording has, and remember what it delivers."""
        registry = self.recorder.recordings.registry
        lease = registry.acquire(registry.request(StreamOptions.parse(options)))
        return Delivered(lease.stream.buffer)

    def assert_a_run(self, received: list[str], delivered: list[str]) -> None:
        """What was received is what was delivered, without a hole."""
        self.assertGreater(len(received), 10)
        starts = [n for n, digest in enumerate(delivered) if digest == received[0]]
        runs = [delivered[start : start + len(received)] for start in starts]
        self.assertIn(received, runs)

    async def until_watched(self) -> None:
        while not any(feed.is_watched for feed in self.rtsp.feeds.feeds):
            await deferLater(reactor, 0.02)

    async def test_players_get_what_the_cameras_sent(self) -> None:
        """By TCP, UDP, TLS and both kinds of tunnel every frame is the camera's, none lacks."""
        await self.start()
        front, back = self.delivered(H264), self.delivered(H265)
        ways = [
            ("tcp", self.url("device=front")),
            ("udp", self.url(H264)),
            ("tcp", self.url(H264, "rtsps", scheme="rtsps")),
            ("http", self.url(H264)),
            ("http", self.url(H264, "http")),
        ]
        other = Deferred.fromCoroutine(byte_stream(self.url(H265), 40, self.folder / "pictures"))
        received = await together(*(frames(url, way, 40) for way, url in ways))
        for found in received:
            self.assert_a_run(found[0], front.hashes[0])
            self.assert_a_run(found[1], front.hashes[1])
        # not by frames: the parser leaves the first zero of a start code to the frame before it
        pictures = await other
        self.assertEqual(pictures[: len(H265_START)], H265_START)
        self.assertIn(pictures, back.pictures)
        watched = [c for c in self.camera.clients() if "video" in str(c["tracks"])]
        self.assertEqual(len(watched), 2)

    async def test_gstreamer(self) -> None:
        """Plays pictures and sound of both codings, by TCP and UDP, and does not complain."""
        await self.start()
        await together(
            gstreamer(self.url(H264), "protocols=tcp", "rtph264depay", "avdec_h264"),
            gstreamer(self.url(H264), "protocols=udp", "rtpmp4gdepay", "avdec_aac"),
            gstreamer(self.url(H265), "protocols=tcp", "rtph265depay", "h265parse", "avdec_h265"),
        )

    async def test_those_who_misbehave_disturb_nobody(self) -> None:
        """Garbage, half requests, one who never reads: the others miss nothing."""
        await self.start()
        front = self.delivered(H264)
        place = ("127.0.0.1", self.ports["rtsp"])
        for number in range(30):  # fewer than may wait to be accepted: this thread accepts them
            stranger = socket.create_connection(place)
            self.addCleanup(stranger.close)
            stranger.sendall(
                (b"nonsense\r\n\r\n", b"DESCRIBE rtsp", b"GET /axis-media/")[number % 3]
            )
        command = ("-rtsp_transport", "tcp", "-i", self.url("device=front"), "-f", "null", "-")
        lazy = start_program(self, reactor, (require_program("ffmpeg"), "-nostdin", *command))
        await self.until_watched()
        lazy.signal("STOP")
        received = await frames(self.url("device=front"), "tcp", 60)
        self.assert_a_run(received[0], front.hashes[0])
        # who spoke no RTSP was sent away, who has not finished yet may
        self.assertLessEqual(len(self.rtsp.server.connections), 22)

    async def test_the_end(self) -> None:
        """When the recorder stops a player is told, and ends of itself with what it has."""
        await self.start()
        playing = Deferred.fromCoroutine(frames(self.url(H264), "tcp", 100_000))
        await self.until_watched()
        await deferLater(reactor, 0.3)
        began = reactor.seconds()
        await self.stop()
        received = await playing
        self.assertTrue(received[0])
        self.assertLess(reactor.seconds() - began, PATIENCE_SECONDS / 2)
