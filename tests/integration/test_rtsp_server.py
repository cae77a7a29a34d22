"""The recorder's RTSP server against the players that people use."""

import socket
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from axis_nvr.media.stream_options import StreamOptions
from axis_nvr.media.units import AccessUnit, MetadataFormat, VideoFormat
from axis_nvr.protocols.address import CameraAddress, StreamProtocol
from axis_nvr.protocols.camera import CameraOpener
from axis_nvr.protocols.tick import TickReader
from axis_nvr.session.digest import Credentials
from axis_nvr.wire.notification import Notification, Operation, parse_document
from tests.integration.live_recorder import (
    PASSWORD,
    USER,
    Delivered,
    LiveRecorderTestCase,
    reactor,
)
from tests.integration.peers import PATIENCE_SECONDS, require_program, start_program, until
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


def pictures_of(units: Sequence[AccessUnit]) -> list[AccessUnit]:
    return [unit for unit in units if isinstance(unit.format, VideoFormat)]


def has_pictures(units: Sequence[AccessUnit], count: int) -> bool:
    return len(pictures_of(units)) >= count


def told_by(units: Sequence[AccessUnit]) -> list[Notification]:
    documents = [unit.data for unit in units if isinstance(unit.format, MetadataFormat)]
    return [one for data in documents for one in parse_document(bytes(data))]


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
        await until(lambda: any(feed.is_watched for feed in self.rtsp.feeds.feeds))

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

    async def test_multicast(self) -> None:
        """Who joins a group in between gets the camera's frames too, and none of them twice."""
        place = '[multicast]\ngroups = "239.192.77.32/30"\nport = 50700\ninterface = "127.0.0.1"\n'
        await self.start(more=place)
        front = self.delivered(H264)
        opener = CameraOpener(reactor, TickReader(reactor))
        sessions = []
        watched: tuple[list[AccessUnit], list[AccessUnit]] = ([], [])
        for units in watched:
            address = CameraAddress(
                self.url(H264),
                StreamProtocol.RTSPM,
                Credentials(USER, PASSWORD),
                interface="127.0.0.1",
            )
            session = await opener.open(address, lambda track: True, units.extend, lambda _: None)
            session.set_urgent(True)
            sessions.append(session)
            await until(partial(has_pictures, units, 15))
        await sessions[0].close()  # the other goes on, and one more comes
        options = "protocols=udp-mcast multicast-iface=lo"
        await gstreamer(self.url(H264), options, "rtph264depay", "avdec_h264")
        await sessions[1].close()
        for units in watched:
            for track in (0, 1):
                digests = [front.digest(unit) for unit in units if unit.track == track]
                self.assert_a_run(digests, front.hashes[track])
        self.assertEqual([session.warnings for session in sessions], [(), ()])

    async def test_our_own_client(self) -> None:
        """A recorder records another: pictures through HTTPS, events beside them, both at once."""
        await self.start()
        front = self.delivered(H264)
        units: list[AccessUnit] = []
        address = CameraAddress(
            self.url("device=front&event=on", "https"),
            StreamProtocol.RTSPSH,
            Credentials(USER, PASSWORD),
        )
        opener = CameraOpener(reactor, TickReader(reactor))
        session = await opener.open(address, lambda track: True, units.extend, lambda _: None)
        session.set_urgent(True)
        await until(lambda: len(pictures_of(units)) > 20 and len(told_by(units)) > 3)
        await session.close()
        digests = [front.digest(unit) for unit in pictures_of(units)]
        self.assert_a_run(digests, front.hashes[0])
        topic = "tns1:VideoSource/tnsaxis:LiveStreamAccessed"
        accessed = [one for one in told_by(units) if one.topic == topic]
        self.assertEqual(accessed[0].operation, Operation.INITIALIZED)
        self.assertIn((("accessed", "1"),), [one.data for one in accessed])

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
        """When the recorder stops a player ends of itself; who watched is in the audit log."""
        await self.start()
        playing = Deferred.fromCoroutine(frames(self.url(H264), "tcp", 100_000))
        await self.until_watched()
        await deferLater(reactor, 0.3)
        began = reactor.seconds()
        await self.stop()
        received = await playing
        self.assertTrue(received[0])
        self.assertLess(reactor.seconds() - began, PATIENCE_SECONDS / 4)
        database = sqlite3.connect(self.folder / "nvr-state" / "state.db")
        self.addCleanup(database.close)
        query = "SELECT account, address, target FROM audit WHERE action = 'view'"
        viewed = database.execute(query).fetchall()
        self.assertEqual(viewed, [(USER, "127.0.0.1", "device front")])
