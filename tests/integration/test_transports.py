"""Every way a stream can come, from GStreamer's RTSP server."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from axis_nvr.errors import PeerRefused
from axis_nvr.media.units import AccessUnit, VideoFormat
from axis_nvr.protocols.address import CameraAddress, CertificateValidation, StreamProtocol
from axis_nvr.protocols.camera import CameraOpener
from axis_nvr.protocols.rtsp_client import CameraSession
from axis_nvr.protocols.tick import TickReader
from axis_nvr.protocols.tls import CertificateRefused
from axis_nvr.session.digest import Credentials
from axis_nvr.session.tracks import TrackDescription
from tests.integration.networks import camera_network
from tests.integration.peers import Peer, start_gst_server
from tests.protocols.certificates import issue

#: How long the pictures of one test may take, in seconds.
WAIT_SECONDS = 60.0


class Collector:
    """Takes units until there are enough."""

    def __init__(self, wanted: dict[int, int]) -> None:
        self.wanted = wanted
        self.units: dict[int, list[AccessUnit]] = {}
        self.enough: Deferred[None] = Deferred()
        self.lost: list[Failure] = []

    def take(self, units: Sequence[AccessUnit]) -> None:
        self.units.setdefault(units[0].track, []).extend(units)
        if not self.enough.called and all(
            len(self.units.get(track, ())) >= count for track, count in self.wanted.items()
        ):
            self.enough.callback(None)

    def lose(self, reason: Failure) -> None:
        self.lost.append(reason)
        if not self.enough.called:
            self.enough.errback(reason)


class TransportCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.ticker = TickReader(reactor)
        self.opener = CameraOpener(reactor, self.ticker)

    async def open(
        self, peer: Peer, protocol: str, collector: Collector, **options: Any
    ) -> CameraSession:
        """Open the stream of a server."""
        host = options.pop("host", "127.0.0.1")
        address = CameraAddress(
            f"rtsp://{host}:{peer.port}/stream", StreamProtocol(protocol), **options
        )
        session = await self.opener.open(address, wanted, collector.take, collector.lose)
        self.addCleanup(session.close)
        return session

    async def collect(
        self, peer: Peer, protocol: str, wanted_units: dict[int, int], **options: Any
    ) -> tuple[CameraSession, Collector]:
        """Receive so many units of each track, and hold them to what must be."""
        collector = Collector(wanted_units)
        session = await self.open(peer, protocol, collector, **options)
        await collector.enough.addTimeout(WAIT_SECONDS, reactor)
        for units in collector.units.values():
            times = [unit.utc_us for unit in units]
            self.assertEqual(times, sorted(times))
            self.assertEqual([unit.gap for unit in units], [None] * len(units))
        for statistics in session.statistics().values():
            self.assertEqual((statistics.lost, statistics.malformed), (0, 0))
        self.assertEqual(collector.lost, [])
        return session, collector

    def assert_video(self, units: list[AccessUnit]) -> None:
        form = units[0].format
        assert isinstance(form, VideoFormat)
        self.assertEqual((form.width, form.height), (320, 240))
        self.assertTrue(units[0].sync)


def wanted(track: TrackDescription) -> bool:
    return track.kind in ("video", "audio")


class TransportTests(TransportCase):
    async def test_tcp(self) -> None:
        """Interleaved: pictures and sound, none lost, read on ticks, and at once when urgent."""
        peer = await start_gst_server(self, reactor, "--source", "h264", "--source", "pcmu")
        session, collector = await self.collect(peer, "rtspt", {0: 20, 1: 5})
        self.assert_video(collector.units[0])
        self.assertEqual(len(self.ticker), 1)
        session.set_urgent(True)
        self.assertEqual(len(self.ticker), 0)
        before = len(collector.units[0])
        collector.wanted, collector.enough = {0: before + 15}, Deferred()
        await collector.enough.addTimeout(WAIT_SECONDS, reactor)
        await session.close()
        self.assertEqual(collector.lost, [])

    async def test_udp(self) -> None:
        """Datagrams to our ports."""
        peer = await start_gst_server(self, reactor, "--source", "h264", "--source", "aac")
        session, collector = await self.collect(peer, "rtspu", {0: 20, 1: 5})
        self.assert_video(collector.units[0])
        self.assertEqual(len(self.ticker), 2)
        await session.close()
        self.assertEqual(len(self.ticker), 0)

    async def test_http_tunnel(self) -> None:
        """RTSP within two HTTP connections."""
        peer = await start_gst_server(self, reactor, "--source", "h264")
        _, collector = await self.collect(peer, "rtsph", {0: 20})
        self.assert_video(collector.units[0])

    async def test_h265(self) -> None:
        """H.265, interleaved."""
        peer = await start_gst_server(self, reactor, "--source", "h265")
        _, collector = await self.collect(peer, "rtspt", {0: 10})
        self.assert_video(collector.units[0])


class MulticastTests(TransportCase):
    async def test_group(self) -> None:
        """A group is joined on the interface that faces the camera."""
        network = camera_network(self)
        peer = await start_gst_server(
            self,
            reactor,
            *("--source", "h264", "--address", network.camera, "--multicast", "239.77.7.7"),
            prefix=network.prefix,
        )
        session, collector = await self.collect(peer, "rtspm", {0: 20}, host=network.camera)
        self.assert_video(collector.units[0])
        self.assertEqual(session.warnings, ())


class AccountTests(TransportCase):
    async def test_accounts(self) -> None:
        """Digest and Basic are answered; a wrong password is a refusal, not a retry."""
        for scheme in ("digest", "basic"):
            peer = await start_gst_server(self, reactor, "--source", "h264", "--auth", scheme)
            account = Credentials("user", "secret")
            session, _ = await self.collect(peer, "rtspt", {0: 3}, credentials=account)
            await session.close()
            with self.assertRaises(PeerRefused) as caught:
                await self.open(
                    peer, "rtspt", Collector({}), credentials=Credentials("user", "wrong")
                )
            self.assertEqual(caught.exception.status, 401)
            with self.assertRaises(PeerRefused):
                await self.open(peer, "rtspt", Collector({}))


class TlsTests(TransportCase):
    def setUp(self) -> None:
        super().setUp()
        self.ca = issue("Site CA", authority=True)
        camera = issue("camera", issuer=self.ca, addresses=("127.0.0.1",))
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.certificate = Path(folder.name, "camera.pem")
        self.certificate.write_bytes(camera.pem + camera.key_pem)

    async def tls_server(self) -> Peer:
        return await start_gst_server(
            self, reactor, "--source", "h264", "--certificate", str(self.certificate)
        )

    async def test_rtsps(self) -> None:
        """Interleaved within TLS, the certificate checked, read on ticks."""
        _, collector = await self.collect(
            await self.tls_server(),
            "rtsps",
            {0: 20},
            validation=CertificateValidation.STANDARD,
            ca=self.ca.pem,
        )
        self.assert_video(collector.units[0])
        self.assertEqual(len(self.ticker), 1)

    async def test_https_tunnel(self) -> None:
        """The tunnel within TLS."""
        _, collector = await self.collect(await self.tls_server(), "rtspsh", {0: 20})
        self.assert_video(collector.units[0])

    async def test_a_stranger(self) -> None:
        """A camera whose certificate is refused gets no request."""
        peer = await self.tls_server()
        for protocol in ("rtsps", "rtspsh"):
            with self.assertRaises(CertificateRefused):
                await self.open(
                    peer,
                    protocol,
                    Collector({}),
                    validation=CertificateValidation.LIMITED,
                    ca=issue("Another CA", authority=True).pem,
                )
