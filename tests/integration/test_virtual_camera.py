"""The virtual camera against the clients that people use: ffmpeg, ffprobe, GStreamer, and ours."""

import json
import socket
import sys
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import treq
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from axis_nvr.protocols.rtp_delivery import MulticastGroup
from axis_nvr.simulator.camera import VirtualCamera, virtual_camera
from tests.integration.peers import (
    PATIENCE_SECONDS,
    check_gstreamer,
    holds,
    require_program,
    start_program,
)

reactor: Any = installed_reactor
ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


async def run(name: str, *arguments: object) -> tuple[str, str, int]:
    """Run a client to its end; returns what it wrote, what it complained of, and its exit code."""
    path = require_program(name)
    running: Deferred[Any] = getProcessOutputAndValue(path, [str(a) for a in arguments], env=None)
    output, errors, code = await running.addTimeout(PATIENCE_SECONDS, reactor)
    return output.decode(), errors.decode(), code


async def probe(url: str, *, transport: str = "tcp", seconds: float = 2.0) -> dict[str, Any]:
    """What ffprobe finds in so much of a stream, packets and all; it must not complain."""
    output, errors, code = await run(
        "ffprobe",
        *("-loglevel", "warning", "-rtsp_transport", transport),
        *("-read_intervals", f"%+{seconds}", "-show_streams", "-show_packets", "-of", "json", url),
    )
    assert (errors, code) == ("", 0), errors
    found: dict[str, Any] = json.loads(output)
    return found


async def decode(url: str, *, transport: str = "tcp", pictures: int = 40) -> int:
    """How many pictures ffmpeg decodes; it must not complain."""
    output, errors, code = await run(
        "ffmpeg",
        *("-nostdin", "-loglevel", "warning", "-rtsp_transport", transport, "-i", url),
        *("-map", "0:v", "-frames:v", pictures, "-f", "framecrc", "-"),
    )
    assert (errors, code) == ("", 0), errors
    return sum(not line.startswith("#") for line in output.splitlines())


async def gstreamer(url: str, *elements: str) -> None:
    """Play with GStreamer's rtspsrc until 30 buffers have come; it must not complain."""
    end = "identity eos-after=30 ! fakesink silent=false"
    line = " ! ".join([f"rtspsrc location={url} latency=50 {elements[0]}", *elements[1:], end])
    output, errors, code = await run("gst-launch-1.0", "-v", *line.split())
    assert output.count("chain   *****") >= 29, (output[-2000:], errors)
    check_gstreamer(errors, code)


async def together(*jobs: Coroutine[Any, Any, T]) -> list[T]:
    """Wait for several things that go on at the same time."""
    return list(await gatherResults([Deferred.fromCoroutine(job) for job in jobs]))


class CameraTestCase(TestCase):
    timeout = 120

    def camera(self, **settings: Any) -> VirtualCamera:
        camera = virtual_camera(reactor, **settings)
        camera.startService()
        self.addCleanup(camera.stopService)
        return camera


class FfmpegTests(CameraTestCase):
    async def test_three_transports_and_two_codings(self) -> None:
        """Over TCP, UDP and an HTTP tunnel, H.264 and H.265 decode without one complaint."""
        camera = self.camera(username="root", password="p@ss:word")
        jobs = [
            decode(
                camera.rtsp_url(
                    with_credentials=True, videocodec=codec, resolution="640x360", fps=30
                ),
                transport=transport,
            )
            for transport in ("tcp", "udp", "http")
            for codec in ("h264", "h265")
        ]
        self.assertEqual(await together(*jobs), [40] * 6)

    async def test_what_was_asked_for_is_what_comes(self) -> None:
        """Resolution, rate and GOP length are those of the URL."""
        camera = self.camera()

        async def check(codec: str, size: str, fps: int, interval: int) -> None:
            url = camera.rtsp_url(
                videocodec=codec, resolution=size, fps=fps, videokeyframeinterval=interval
            )
            found = await probe(url, seconds=1.6)
            (stream,) = found["streams"]
            self.assertEqual(f"{stream['width']}x{stream['height']}", size)
            self.assertEqual(stream["codec_name"], {"h265": "hevc"}.get(codec, codec))
            self.assertEqual(stream["avg_frame_rate"], f"{fps}/1")
            keys = [n for n, p in enumerate(found["packets"]) if "K" in p["flags"]]
            self.assertEqual(keys, list(range(0, len(found["packets"]), interval)))
            self.assertLessEqual(abs(len(found["packets"]) - 1.6 * fps), 4)

        await together(
            check("h264", "1920x1080", 30, 20),
            check("h265", "1280x720", 25, 10),
            check("h264", "640x360", 50, 32),
        )

    async def test_sound_with_the_picture(self) -> None:
        """AAC and G.711 come beside the picture, and both begin at the same time."""
        camera = self.camera()

        async def check(codec: str, name: str, rate: str) -> None:
            url = camera.rtsp_url(resolution="640x360", audio=1, audiocodec=codec)
            found = await probe(url, seconds=1.5)
            video, audio = found["streams"]
            self.assertEqual((audio["codec_name"], audio["sample_rate"]), (name, rate))
            first = {s["index"]: float(s["start_time"]) for s in (video, audio)}
            self.assertLess(abs(first[0] - first[1]), 0.05)

        await together(check("aac", "aac", "16000"), check("g711", "pcm_mulaw", "8000"))

    async def test_changed_parameter_sets(self) -> None:
        """Ffmpeg follows the picture into another resolution and back."""
        camera = self.camera()
        url = camera.rtsp_url(resolution="1280x720", fps=30, videokeyframeinterval=300)
        reactor.callLater(0.7, camera.raise_fault, "change-parameter-sets", {"seconds": 0.7})
        output, _, code = await run(
            "ffprobe",
            *("-loglevel", "error", "-rtsp_transport", "tcp", "-read_intervals", "%+2.5"),
            *("-show_entries", "frame=width", "-of", "csv=p=0", url),
        )
        widths = [int(line.strip(",")) for line in output.split()]
        changes = [w for n, w in enumerate(widths) if n == 0 or w != widths[n - 1]]
        self.assertEqual((code, changes), (0, [1280, 640, 1280]))

    async def test_wrong_password_and_what_is_not(self) -> None:
        """Ffmpeg tells its user what the camera says: 401, 404, 400."""
        camera = self.camera(username="root", password="right")
        good = camera.rtsp_url(with_credentials=True)
        urls = (
            good.replace("right", "wrong"),
            good.replace("media.amp", "other.amp"),
            f"{good}?fps=1000",
        )
        told = await together(*(run("ffprobe", "-rtsp_transport", "tcp", url) for url in urls))
        for (_, errors, _), words in zip(told, ("401", "404", "400"), strict=True):
            self.assertIn(words, errors)

    async def test_eight_clients_at_once(self) -> None:
        """Eight clients have whole streams at the same time."""
        camera = self.camera()
        url = camera.rtsp_url(resolution="640x360", fps=25)
        jobs = [decode(url, pictures=25) for _ in range(8)]
        self.assertEqual(await together(*jobs), [25] * 8)


class GstreamerTests(CameraTestCase):
    async def test_three_transports(self) -> None:
        """GStreamer plays over TCP, UDP and a tunnel, with credentials."""
        camera = self.camera(username="root", password="pass")
        url = camera.rtsp_url(resolution="640x360", fps=30)
        user = "user-id=root user-pw=pass"
        tunnel = camera.rtsp_url(videocodec="h265", fps=30).replace("rtsp://", "rtsph://")
        await together(
            gstreamer(url, f"protocols=tcp {user}", "rtph264depay", "h264parse", "avdec_h264"),
            gstreamer(url, f"protocols=udp {user}", "rtph264depay", "h264parse", "avdec_h264"),
            gstreamer(tunnel, user, "rtph265depay", "h265parse", "avdec_h265"),
        )

    async def test_a_tunnel_that_asks_twice(self) -> None:
        """With ``authenticate_over_http`` HTTP and RTSP both ask for the password."""
        camera = self.camera(username="root", password="pass", authenticate_over_http=True)
        url = camera.rtsp_url(resolution="640x360").replace("rtsp://", "rtsph://")
        await gstreamer(url, "user-id=root user-pw=pass", "rtph264depay", "h264parse")

    async def test_multicast(self) -> None:
        """A client that asks for multicast listens to the group that the camera names."""
        group = MulticastGroup("239.192.77.1", 50600, interface="127.0.0.1")
        camera = self.camera(multicast=group, interface="")
        url = camera.rtsp_url(resolution="640x360")
        options = "protocols=udp-mcast multicast-iface=lo"
        await gstreamer(url, options, "rtph264depay", "h264parse")

    async def test_events(self) -> None:
        """A client of the event stream hears of motion that begins on command."""
        camera = self.camera()
        url = camera.rtsp_url(video=0, audio=0, event="on")
        target = Path(self.mktemp())
        line = (
            f"-q -e rtspsrc location={url} protocols=tcp latency=50"
            " ! application/x-rtp,media=application"
            f" ! filesink location={target} buffer-mode=unbuffered"
        )
        player = start_program(self, reactor, [require_program("gst-launch-1.0"), *line.split()])

        def received() -> bytes:
            return target.read_bytes() if target.exists() else b""

        await holds(reactor, b"Initialized", received)
        camera.raise_motion(True)
        await holds(reactor, b'PropertyOperation="Changed"', received)
        self.assertIn(b"VMD/Camera1ProfileANY", target.read_bytes())
        player.signal("INT")
        check_gstreamer(*await player.outcome())


class TlsTests(CameraTestCase):
    def certificate(self) -> str:
        """Make a key and a certificate of its own; returns the file with both."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        path = Path(self.mktemp())
        path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        return str(path)

    async def test_rtsps_and_a_tunnel_in_https(self) -> None:
        """Behind a TLS endpoint ffmpeg plays rtsps, and GStreamer RTSP in HTTPS."""
        camera = self.camera(rtsp=f"ssl:0:interface=127.0.0.1:privateKey={self.certificate()}")
        url = camera.rtsp_url(resolution="640x360")
        self.assertTrue(url.startswith("rtsps://"))
        self.assertEqual(await decode(url), 40)
        tunnel = url.replace("rtsps://", "rtspsh://")
        await gstreamer(tunnel, "tls-validation-flags=0", "rtph264depay", "h264parse")


class SlowReaderTests(CameraTestCase):
    async def test_memory_stays_bounded(self) -> None:
        """A client that never reads is not buffered for: frames are skipped and counted."""
        camera = self.camera()
        url = camera.rtsp_url(fps=60, videokeyframeinterval=1)
        host, port = url.split("/")[2].split(":")
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        self.addCleanup(client.close)
        client.setblocking(False)
        transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        client.send(f"SETUP {url} RTSP/1.0\r\nCSeq: 1\r\n{transport}\r\n".encode())
        await deferLater(reactor, 0.2)
        answer = client.recv(4096).decode()
        session = answer.split("Session: ")[1].split(";")[0]
        client.send(f"PLAY {url} RTSP/1.0\r\nCSeq: 2\r\nSession: {session}\r\n\r\n".encode())
        for _ in range(100):
            await deferLater(reactor, 0.1)
            (told,) = camera.clients()
            if "'skipped': 0" not in str(told):
                break
        self.assertNotIn("'skipped': 0", str(told))
        (connection,) = camera.server.connections
        waiting = len(connection.transport.dataBuffer) + connection.transport._tempDataLen
        self.assertLess(waiting, 256 * 1024)


class CommandLine(ProcessProtocol):
    """A virtual camera in a process of its own."""

    def __init__(self, lines: int) -> None:
        self.output = b""
        self.errors = b""
        self.ready: Deferred[list[str]] = Deferred()
        self.ended: Deferred[int] = Deferred()
        self._lines = lines

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        self.output += data
        lines = self.output.decode().splitlines()
        if len(lines) >= self._lines and not self.ready.called:
            self.ready.callback(lines)

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        self.errors += data

    def processEnded(self, reason: Any) -> None:
        self.ended.callback(reason.value.exitCode)


class CommandLineTests(CameraTestCase):
    def start(self, *arguments: str, lines: int = 2) -> CommandLine:
        program = CommandLine(lines)
        command: Sequence[str] = [sys.executable, "-m", "twisted", "axis-camera", *arguments]
        process: Any = reactor.spawnProcess(
            program, command[0], command, env={"PYTHONPATH": str(ROOT)}, path=str(ROOT)
        )

        def stop() -> Deferred[int]:
            if not program.ended.called:
                process.signalProcess("TERM")
            return program.ended

        self.addCleanup(stop)
        return program

    async def test_run_and_controlled(self) -> None:
        """``axis-camera`` says where it listens; faults and events come by HTTP."""
        local = "tcp:0:interface=127.0.0.1"
        program = self.start("--rtsp", local, "--control", local, "--serial", "00408c123456")
        lines = await program.ready.addTimeout(PATIENCE_SECONDS, reactor)
        rtsp, control = (line.split()[-1] for line in lines[:2])
        self.assertTrue(lines[0].startswith("virtual camera: rtsp://127.0.0.1:"), lines)
        self.assertEqual(await decode(f"{rtsp}?resolution=640x360", pictures=10), 10)
        for method, path, body, status, words in (
            ("GET", "", b"", 200, '"happened": 0'),
            ("POST", "/drop", b'{"rate": 0.5, "seconds": 5}', 200, '"rate": 0.5'),
            ("POST", "/drop", b'{"rate": 2}', 400, "rate"),
            ("POST", "/drop", b"[1", 400, "JSON"),
            ("POST", "/nonsense", b"", 400, "no fault"),
            ("POST", "/motion", b'{"active": true}', 200, '"motion": true'),
            ("POST", "/motion", b'{"active": 1}', 400, "motion"),
            ("DELETE", "/drop", b"", 200, '"active": null'),
            ("DELETE", "", b"", 200, "faults"),
        ):
            response = await treq.request(method, control + path, data=body, persistent=False)
            self.assertEqual(response.code, status, path)
            self.assertIn(words, await response.text())

    async def test_what_cannot_be(self) -> None:
        """A port that is taken and an endpoint that is none end it with one sentence and 1."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        for endpoint in (f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1", "tcp:x"):
            program = self.start("--rtsp", endpoint)
            self.assertEqual(await program.ended.addTimeout(PATIENCE_SECONDS, reactor), 1)
            self.assertEqual(program.errors.count(b"axis-camera: rtsp: "), 1)
            self.assertNotIn(b"Traceback", program.errors)
            await deferLater(reactor, 0)
