"""How packets go to clients: in the connection, in datagrams, in groups; who does not keep up."""

from typing import Any

from axis_nvr.protocols.rtp_delivery import UDP_PORTS, MulticastGroup, payload_limit
from axis_nvr.wire.rtsp_headers import parse_transports
from tests.protocols.rtsp_serving import TCP, UDP, ServerTestCase


class InterleavedTests(ServerTestCase):
    def test_pause_and_teardown(self) -> None:
        """PAUSE and TEARDOWN reach the presentation; the connection ends behind the answer."""
        protocol, transport, session = self.play(TCP)
        transport.clear()
        self.assertEqual(self.ask(protocol, transport, "PAUSE", Session=session).status, 200)
        self.assertEqual(self.ask(protocol, transport, "TEARDOWN", Session=session).status, 200)
        self.assertEqual(self.calls, ["started", "paused", "stopped"])
        self.assertTrue(transport.disconnecting)

    def test_a_client_that_does_not_keep_up(self) -> None:
        """While the transport is full frames are turned away and nothing is read."""
        protocol, transport, _ = self.play(TCP)
        delivery = self.presentation.deliveries[0]
        transport.clear()
        protocol.pauseProducing()
        self.assertFalse(delivery.send([b"a"]))
        delivery.send_report(b"r")
        self.assertEqual((transport.value(), transport.producerState), (b"", "paused"))
        protocol.resumeProducing()
        self.assertIn("writable", self.calls)
        self.assertTrue(delivery.send([b"a", b"bc"]))
        delivery.send_report(b"r")
        self.assertEqual(transport.value(), b"$\0\0\1a$\0\0\2bc$\1\0\1r")

    def test_reports_of_the_client(self) -> None:
        """Frames on the RTCP channel reach their track."""
        protocol, _, _ = self.play(TCP)
        protocol.dataReceived(b"$\1\0\3abc$\0\0\3rtp")
        self.assertIn("report 0 abc", self.calls)
        self.assertNotIn("report 0 rtp", self.calls)

    def test_the_connection_ends(self) -> None:
        """The session ends with the connection that carries it, and no timer is left."""
        protocol, _, _ = self.play(TCP)
        protocol.connectionLost()
        self.assertEqual(self.calls[-1], "stopped")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_channels(self) -> None:
        """Channels are those asked for, else the next free ones; odd ones are refused."""
        for offered, expected in (
            ("RTP/AVP/TCP;unicast;interleaved=4-5", (4, 5)),
            ("RTP/AVP/TCP;unicast;interleaved=4", (4, 5)),
            ("RTP/AVP/TCP;unicast", (0, 1)),
        ):
            _, _, response = self.set_up(offered)
            (transport,) = parse_transports(response.headers.get("Transport"))
            self.assertEqual((transport.interleaved, transport.ssrc), (expected, 0xABC))
            self.assertEqual(transport.mode, "PLAY")
        self.assertEqual(self.set_up("RTP/AVP/TCP;unicast;interleaved=255")[2].status, 461)
        self.assertEqual(self.set_up("RTP/AVP/TCP;unicast;interleaved=3-3")[2].status, 461)

    def test_disconnected_by_the_presentation(self) -> None:
        """Behind `disconnect` nothing more is written."""
        _, transport, _ = self.play(TCP)
        delivery = self.presentation.deliveries[0]
        delivery.send_partly(b"0123456789", 4)
        delivery.disconnect()
        self.assertFalse(delivery.send([b"more"]))
        self.assertTrue(transport.value().endswith(b"$\0\0\x0a0123"))
        self.assertTrue(transport.disconnecting)


class DatagramTests(ServerTestCase):
    def written(self, number: int) -> list[tuple[bytes, Any]]:
        transport: Any = self.clock.ports[number].protocol.transport
        return list(transport.written)

    def test_to_the_client_and_nobody_else(self) -> None:
        """Packets go to the host of the RTSP connection, whatever ``destination`` says."""
        _, _, response = self.set_up(f"{UDP};destination=192.168.9.9")
        (transport,) = parse_transports(response.headers.get("Transport"))
        self.assertEqual(transport.client_port, (6000, 6001))
        self.assertEqual(transport.server_port, (50000, 50001))
        delivery = self.presentation.deliveries[0]
        self.assertTrue(delivery.send([b"a", b"b"]))
        delivery.send_report(b"r")
        delivery.send_partly(b"0123", 2)
        to = ("10.0.0.9", 6000)
        self.assertEqual(self.written(0), [(b"a", to), (b"b", to), (b"01", to)])
        self.assertEqual(self.written(1), [(b"r", ("10.0.0.9", 6001))])

    def test_reports_keep_the_session(self) -> None:
        """Receiver reports from the client's port are signs of life; others are ignored."""
        self.play(UDP)
        rtcp = self.clock.ports[1].protocol
        self.clock.advance(50)
        rtcp.datagramReceived(b"abc", ("10.0.0.9", 6001))
        rtcp.datagramReceived(b"xyz", ("10.0.0.8", 6001))
        self.assertEqual(self.calls, ["started", "report 0 abc"])
        self.clock.advance(50)
        self.assertEqual(len(self.server.sessions), 1)
        self.clock.advance(11)
        self.assertEqual(len(self.server.sessions), 0)
        self.assertEqual(self.calls[-1], "stopped")

    def test_it_survives_its_connection(self) -> None:
        """A session with datagrams goes on without its connection, until it is silent."""
        protocol, _, session = self.play(UDP)
        protocol.connectionLost()
        self.assertEqual(len(self.server.sessions), 1)
        other, transport = self.connect()
        self.assertEqual(self.ask(other, transport, "OPTIONS", Session=session).status, 200)
        self.clock.advance(61)
        self.assertEqual(len(self.server.sessions), 0)

    def test_taken_ports(self) -> None:
        """The first pair that is free is used; 503 when there is none."""
        self.clock.taken = (50000, 50003)
        _, _, response = self.set_up(UDP)
        (transport,) = parse_transports(response.headers.get("Transport"))
        self.assertEqual(transport.server_port, (50004, 50005))
        self.clock.taken = tuple(UDP_PORTS)
        self.make_server()
        self.assertEqual(self.set_up(UDP)[2].status, 503)

    def test_multicast_only_where_there_is_a_group(self) -> None:
        """Without a group 461; with one the reply names it, and one client's packets go out."""
        self.assertEqual(self.set_up("RTP/AVP;multicast")[2].status, 461)
        self.make_server(multicast=MulticastGroup("239.1.1.1", 5000, interface="10.0.0.2"))
        _, _, response = self.set_up("RTP/AVP;multicast")
        (transport,) = parse_transports(response.headers.get("Transport"))
        self.assertTrue(transport.multicast)
        self.assertEqual(
            (transport.destination, transport.port, transport.ttl), ("239.1.1.1", (5000, 5001), 5)
        )
        first = self.presentation.deliveries[0]
        first_protocol = self.server.connections[-1]
        first.send([b"a"])
        self.set_up("RTP/AVP;multicast")
        second = self.presentation.deliveries[0]
        self.assertIsNot(first, second)
        second.send([b"b"])
        self.assertEqual(self.written(-2), [(b"a", ("239.1.1.1", 5000))])
        self.assertTrue(first_protocol.transport.connected)
        first.close()  # type: ignore[attr-defined]
        second.send([b"c"])
        second.send_report(b"r")
        self.assertEqual(self.written(-2)[1:], [(b"c", ("239.1.1.1", 5000))])
        self.assertEqual(self.written(-1), [(b"r", ("239.1.1.1", 5001))])
        self.assertEqual(set(self.clock.groups), {5, "10.0.0.2"})

    def test_a_group_that_cannot_be_reached(self) -> None:
        """The client is told, rather than left to wait for what never leaves this machine."""
        self.make_server(multicast=MulticastGroup("255.255.255.255", 5000))  # may not be sent to
        response = self.set_up("RTP/AVP;multicast")[2]
        self.assertEqual(response.status, 503)
        self.assertIn("no route to the group 255.255.255.255", response.reason)

    def test_packet_sizes(self) -> None:
        """1400 bytes where nothing else is asked for, and never more than the transport takes."""
        self.assertEqual(payload_limit(None, 65535), 1388)
        self.assertEqual(payload_limit(64000, 1472), 1460)
        self.assertEqual(payload_limit(500, 1472), 488)
