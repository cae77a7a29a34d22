"""The UDP ports of a session: bound, opened, and closed with it."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.protocols.media_ports import MediaPorts, address_or
from axis_nvr.protocols.tick import TICK_SECONDS, TickReader
from axis_nvr.protocols.udp import PortPair
from axis_nvr.session.transports import MulticastTransport, UnicastTransport
from axis_nvr.wire.rtcp import parse_compound
from axis_nvr.wire.rtp import parse_packet
from tests.protocols.test_udp import FakeReactor, FakeSocket

CAMERA = "192.0.2.1"


class Receiver:
    """Notes what comes."""

    def __init__(self) -> None:
        self.rtp: list[tuple[int, bytes]] = []
        self.rtcp: list[tuple[int, bytes]] = []
        self.batches = 0

    def rtp_received(self, track: int, data: bytes) -> None:
        self.rtp.append((track, data))

    def rtcp_received(self, track: int, data: bytes) -> None:
        self.rtcp.append((track, data))

    def drained(self) -> None:
        self.batches += 1


class MediaPortsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.reactor = FakeReactor()
        self.receiver = Receiver()
        self.sockets: list[FakeSocket] = []
        self.joined: list[tuple[Any, ...]] = []
        self.ports = MediaPorts(
            self.reactor,
            TickReader(self.clock),
            "192.0.2.9",
            CAMERA,
            "",
            self.receiver,
            bind=self.bind,
            join=self.join,
        )

    def pair(self) -> PortPair:
        port = 4000 + len(self.sockets)
        made = [FakeSocket(port), FakeSocket(port + 1)]
        self.sockets += made
        return PortPair(*made)  # type: ignore[arg-type]

    def bind(self, host: str) -> PortPair:
        self.assertEqual(host, "192.0.2.9")
        return self.pair()

    def join(self, group: str, ports: Any, interface: str, *, source: str, ttl: int) -> PortPair:
        self.joined.append((group, ports, interface, source, ttl))
        return self.pair()

    def test_unicast(self) -> None:
        """What comes to a track's ports is handed on as its RTP and RTCP, in batches."""
        offered = self.ports.bind(2)
        self.assertEqual(offered, ((4000, 4001), (4002, 4003)))
        self.ports.open(0, UnicastTransport(offered[0], (50000, 50001)), 7)
        self.ports.open(1, UnicastTransport(offered[1], (50002, 50003)), 7)
        self.sockets[0].coming = [(b"v1", (CAMERA, 1)), (b"v2", (CAMERA, 1))]
        self.sockets[3].coming = [(b"sr", (CAMERA, 1))]
        self.clock.advance(TICK_SECONDS)
        for port in self.reactor.readers:  # RTCP, which is not left to ticks
            port.doRead()
        self.assertEqual(self.receiver.rtp, [(0, b"v1"), (0, b"v2")])
        self.assertEqual(self.receiver.rtcp, [(1, b"sr")])
        self.assertEqual(self.receiver.batches, 2)

    def test_the_way_back(self) -> None:
        """Both server ports get a packet that opens firewalls, and RTCP goes to the second."""
        offered = self.ports.bind(1)
        self.ports.open(0, UnicastTransport(offered[0], (50000, 50001)), 7)
        ((rtp, rtp_to),) = self.sockets[0].sent
        self.assertEqual((parse_packet(rtp).ssrc, rtp_to), (7, (CAMERA, 50000)))
        ((rtcp, rtcp_to),) = self.sockets[1].sent
        self.assertEqual((len(parse_compound(rtcp)), rtcp_to), (1, (CAMERA, 50001)))
        self.ports.send_report(0, b"report")
        self.assertEqual(self.sockets[1].sent[-1], (b"report", (CAMERA, 50001)))

    def test_no_server_port(self) -> None:
        """A camera that does not tell its ports is heard all the same, and sent nothing."""
        offered = self.ports.bind(1)
        self.ports.open(0, UnicastTransport(offered[0]), 7)
        self.ports.send_report(0, b"report")
        self.assertEqual(self.sockets[0].sent + self.sockets[1].sent, [])
        self.sockets[0].coming = [(b"v", (CAMERA, 40123))]
        self.clock.advance(TICK_SECONDS)
        self.assertEqual(self.receiver.rtp, [(0, b"v")])

    def test_another_source(self) -> None:
        """Media may come from an address that the camera names; nobody else is heard."""
        offered = self.ports.bind(1)
        self.ports.open(0, UnicastTransport(offered[0], None, "192.0.2.50"), 7)
        self.sockets[0].coming = [
            (b"named", ("192.0.2.50", 1)),
            (b"camera", (CAMERA, 1)),
            (b"other", ("192.0.2.66", 1)),
        ]
        self.clock.advance(TICK_SECONDS)
        self.assertEqual([data for _, data in self.receiver.rtp], [b"named", b"camera"])
        self.assertEqual(self.ports.warnings, ["1 datagrams of other hosts dropped"])

    def test_ports_that_are_not_ours(self) -> None:
        """An answer about ports that were not offered is the camera's mistake."""
        self.ports.bind(1)
        with self.assertRaises(RemoteProtocolError):
            self.ports.open(0, UnicastTransport((1, 2)), 7)

    def test_multicast(self) -> None:
        """A group is joined on the interface that faces the camera."""
        self.ports.open(0, MulticastTransport("239.1.2.3", (5000, 5001), 9), 7)
        self.assertEqual(self.joined, [("239.1.2.3", (5000, 5001), "192.0.2.9", "", 9)])
        self.ports.send_report(0, b"report")
        self.assertEqual(self.sockets[1].sent, [(b"report", ("239.1.2.3", 5001))])

    def test_source_specific_multicast(self) -> None:
        """A source that is told, or needed, is joined with the group."""
        self.ports.open(0, MulticastTransport("239.1.2.3", (1, 2), source="192.0.2.50"), 7)
        self.ports.open(1, MulticastTransport("232.1.2.3", (1, 2)), 7)
        self.ports.open(2, MulticastTransport("232.1.2.3", (1, 2), source="camera.local"), 7)
        self.assertEqual([source for *_, source, _ in self.joined], ["192.0.2.50", CAMERA, CAMERA])
        with self.assertRaises(RemoteProtocolError):
            self.ports.open(3, MulticastTransport("nonsense", (1, 2)), 7)

    def test_urgent(self) -> None:
        """RTP is read at once, or on ticks, ports opened later too; RTCP always at once."""
        offered = self.ports.bind(2)
        self.ports.open(0, UnicastTransport(offered[0]), 7)
        self.ports.set_urgent(True)
        self.ports.open(1, UnicastTransport(offered[1]), 7)
        self.assertEqual(len(self.reactor.readers), 4)
        self.ports.set_urgent(False)
        self.assertEqual(len(self.reactor.readers), 2)

    def test_close(self) -> None:
        """Spare ports are given back once all is set up, the others at the end."""
        offered = self.ports.bind(2)
        self.ports.open(0, UnicastTransport(offered[0]), 7)
        self.ports.close_spare()
        self.assertEqual([s.closed for s in self.sockets], [False, False, True, True])
        self.ports.close()
        self.assertTrue(all(s.closed for s in self.sockets))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_small_buffers(self) -> None:
        """A kernel that holds too little for a tick is told of."""
        offered = self.ports.bind(1)
        self.sockets[0].buffer_bytes = 200000
        self.ports.open(0, UnicastTransport(offered[0]), 7)
        self.assertIn("net.core.rmem_max", self.ports.warnings[0])

    def test_addresses(self) -> None:
        """Names, nonsense and addresses that nobody sends from do not count as a source."""
        for text in ("", "cam.local", "0.0.0.0", "239.0.0.1", "::"):  # noqa: S104
            self.assertEqual(address_or(text, "x"), "x")
        self.assertEqual(address_or("192.0.2.1", "x"), "192.0.2.1")
