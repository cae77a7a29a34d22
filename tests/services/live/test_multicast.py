"""Live streams to groups that several clients share."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols.rtp_delivery import MulticastGroup
from axis_nvr.services.live.multicast import LiveGroups
from axis_nvr.wire.rtcp import Bye, RtcpPacket, SenderReport, parse_compound
from axis_nvr.wire.rtp import RtpPacket, parse_packet
from axis_nvr.wire.rtsp import Response
from axis_nvr.wire.rtsp_headers import RtpInfo, Transport, parse_rtp_info, parse_transports
from tests.protocols.rtsp_serving import UdpClock
from tests.services.live.harness import OTHER_H264, START_US, Client, Recorder
from tests.simulator.client import HOST

MULTICAST = "RTP/AVP;multicast"
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


class MulticastTestCase(SynchronousTestCase):
    groups = 2

    def setUp(self) -> None:
        clock = UdpClock()
        self.clock = clock
        addresses = [
            MulticastGroup(f"239.1.1.{n}", 5000 + 2 * n, interface="10.0.0.2")
            for n in range(self.groups)
        ]

        def utc_us() -> int:
            return START_US + round(clock.seconds() * 1e6)

        offered = LiveGroups(addresses, clock, utc_us, cname="recorder") if addresses else None
        self.recorder = Recorder(clock=clock, groups=offered)
        self.addCleanup(self.nothing_is_left)
        self.stream = self.recorder.record("device=front")
        self.stream.group(3)

    def nothing_is_left(self) -> None:
        self.recorder.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def set_up(
        self,
        offered: str = MULTICAST,
        query: str = "device=front",
        track: int = 0,
        client: Client | None = None,
    ) -> tuple[Client, Response]:
        """Set a track up, for one more client unless one is given."""
        client = client or self.recorder.connect()
        url = f"rtsp://{HOST}/axis-media/media.amp/stream={track}?{query}"
        response = client.request("SETUP", url, Transport=offered)
        if response.status == 200:
            client.session = response.headers.get("Session").partition(";")[0]
        return client, response

    def given(self, response: Response) -> Transport:
        """The transport that a client was given."""
        self.assertEqual(response.status, 200, response)
        (transport,) = parse_transports(response.headers.get("Transport"))
        return transport

    def play(self, client: Client, query: str = "device=front") -> list[RtpInfo]:
        response = client.request("PLAY", client.url(query))
        self.assertEqual(response.status, 200, response)
        return parse_rtp_info(response.headers.get("RTP-Info"))

    def watch(self) -> tuple[Client, RtpInfo]:
        client, _ = self.set_up()
        (info,) = self.play(client)
        return client, info

    def written(self, port: int) -> list[tuple[bytes, Any]]:
        return list(self.clock.ports[port].protocol.transport.written)

    def packets(self, group: int = 0) -> list[RtpPacket]:
        """What went to a group so far."""
        place = (f"239.1.1.{group}", 5000 + 2 * group)
        return [parse_packet(data) for data, to in self.written(0) if to == place]

    def reports(self, group: int = 0) -> list[RtcpPacket]:
        place = (f"239.1.1.{group}", 5001 + 2 * group)
        found = [parse_compound(data) for data, to in self.written(1) if to == place]
        return [packet for compound in found for packet in compound]


class SharedTests(MulticastTestCase):
    def test_two_clients_hear_one_sender(self) -> None:
        """One source, each picture once; who comes later is told what comes next."""
        first, told_first = self.watch()
        sent = self.packets()
        self.assertEqual(told_first.sequence_number, sent[0].sequence_number)
        self.assertEqual(told_first.timestamp, sent[0].timestamp)
        self.stream.picture()
        before = self.packets()
        second, response = self.set_up()
        transport = self.given(response)
        self.assertTrue(transport.multicast)
        self.assertEqual(
            (transport.destination, transport.port, transport.ttl, transport.mode),
            ("239.1.1.0", (5000, 5001), 5, "PLAY"),
        )
        (told_second,) = self.play(second)
        self.assertEqual(self.packets(), before)  # nothing is sent again for the second
        self.stream.picture()
        packets = self.packets()
        self.assertEqual(told_second.sequence_number, packets[len(before)].sequence_number)
        assert told_second.timestamp is not None
        behind = packets[len(before)].timestamp - told_second.timestamp & 0xFFFFFFFF
        self.assertEqual(behind, 3600)  # the time of the picture before: nothing can be earlier
        self.assertEqual({packet.ssrc for packet in packets}, {transport.ssrc})
        numbers = [packet.sequence_number for packet in packets]
        self.assertEqual(numbers, [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))])
        self.assertEqual(set(self.clock.groups), {5, "10.0.0.2"})
        self.assertEqual((first.packets(), second.packets()), ([], []))

    def test_one_leaves(self) -> None:
        """PAUSE and TEARDOWN of one stop nobody else; of the last, they stop all."""
        first, _ = self.watch()
        second, _ = self.watch()
        first.request("PAUSE", first.url("device=front"))
        self.stream.picture()
        count = len(self.packets())
        first.request("TEARDOWN", first.url("device=front"))
        self.stream.picture()
        self.assertEqual(len(self.packets()), count + 1)
        second.request("PAUSE", second.url("device=front"))
        self.assertFalse(self.recorder.feeds.feeds[0].is_watched)
        self.stream.picture()
        self.assertEqual(len(self.packets()), count + 1)
        numbers = [packet.sequence_number for packet in self.packets()]
        self.stream.group(2)
        (told,) = self.play(second)
        resumed = self.packets()[count + 1 :]
        self.assertEqual(told.sequence_number, (numbers[-1] + 1) & 0xFFFF)
        self.assertEqual(resumed[0].sequence_number, told.sequence_number)
        self.assertEqual(resumed[0].timestamp, told.timestamp)
        self.assertEqual(len({packet.timestamp for packet in resumed}), 2)
        second.request("TEARDOWN", second.url("device=front"))
        self.stream.picture()
        self.assertEqual(self.packets()[count + 1 :], resumed)

    def test_silence_ends_it(self) -> None:
        """A client that is silent for a minute counts no more, though nothing tells it so."""
        self.watch()
        for _ in range(8):
            self.clock.advance(10.0)
            self.stream.picture()
        self.assertFalse(self.recorder.feeds.feeds)
        kinds = [type(packet) for packet in self.reports()]
        self.assertGreaterEqual(kinds.count(SenderReport), 6)

    def test_reports_and_the_end(self) -> None:
        """Sender reports go to the group; so does a BYE when the camera is removed."""
        client, _ = self.watch()
        self.watch()
        reports = [one for one in self.reports() if isinstance(one, SenderReport)]
        self.assertEqual(len(reports), 1)  # one sender, however many listen
        self.clock.advance(5.0)
        self.assertEqual(len([r for r in self.reports() if isinstance(r, SenderReport)]), 2)
        self.recorder.feeds.stop()
        (bye,) = [one for one in self.reports() if isinstance(one, Bye)]
        self.assertEqual(list(bye.ssrcs), [self.packets()[0].ssrc])
        self.assertEqual(client.request("PLAY", client.url("device=front")).status, 404)

    def test_new_parameter_sets(self) -> None:
        """Who comes after the camera's pictures have changed joins the same sender."""
        self.watch()
        self.stream.group(1, form=OTHER_H264)
        _, response = self.set_up()
        self.assertEqual(self.given(response).ssrc, self.packets()[0].ssrc)
        self.assertIn(
            bytes(OTHER_H264.parameter_sets[0]), [bytes(p.payload) for p in self.packets()]
        )

    def test_both_tracks_and_both_ways(self) -> None:
        """Each track has a group of its own; one may come in the connection instead."""
        self.stream.kinds = ("video", "audio")
        self.stream.sound()
        query = "device=front"
        client, _ = self.set_up(query=query)
        _, response = self.set_up(query=query, track=1, client=client)
        self.assertEqual(self.given(response).port, (5002, 5003))
        mixed, _ = self.set_up(query=query)
        self.set_up(TCP, query, 1, mixed)
        self.assertEqual(len(self.play(client)), 2)
        infos = self.play(mixed)
        self.assertEqual(["stream=0" in infos[0].url, "stream=1" in infos[1].url], [True, True])
        self.stream.sound()
        self.assertEqual(len(self.packets(1)), 1)
        self.assertEqual(len(mixed.packets()), 1)
        client.request("TEARDOWN", client.url(query))
        self.stream.sound()
        self.stream.picture()
        self.assertEqual(len(self.packets(1)), 1)  # nobody has sound by its group any more
        self.assertEqual(len(mixed.packets()), 2)


class RefusedTests(MulticastTestCase):
    groups = 1

    def test_no_group_left(self) -> None:
        """461, in words, unless another transport does; a group that was left is used again."""
        client, _ = self.set_up()
        yard = self.recorder.record("device=yard")
        yard.group(1)
        _, response = self.set_up(query="device=yard")
        self.assertEqual(response.status, 461)
        self.assertIn("all multicast groups are in use", response.reason)
        _, response = self.set_up(f"{MULTICAST},{TCP}", "device=yard")
        self.assertEqual(self.given(response).lower, "TCP")
        client.request("TEARDOWN", client.url("device=front"))
        _, response = self.set_up(query="device=yard")
        self.assertEqual(self.given(response).destination, "239.1.1.0")

    def test_an_interface_that_is_not_there(self) -> None:
        """503, in words: nothing leaves by another one, and no group is used up."""
        self.clock.has_interface = False
        for _ in range(2):
            _, response = self.set_up()
            self.assertEqual(response.status, 503)
            self.assertIn("10.0.0.2", response.reason)
        self.clock.has_interface = True
        self.assertEqual(self.given(self.set_up()[1]).destination, "239.1.1.0")

    def test_what_goes_to_no_group(self) -> None:
        """Events, packets with times of their own, and tracks that are not there."""
        for query, track, status in (
            ("video=0&audio=0&event=on", 0, 461),
            ("device=front&event=on", 1, 461),
            ("device=front&onvifreplayext=1", 0, 461),
            ("device=front", 7, 404),
        ):
            _, response = self.set_up(query=query, track=track)
            self.assertEqual(response.status, status, query)
        self.assertEqual(self.given(self.set_up()[1]).destination, "239.1.1.0")

    def test_nothing_leaves_a_connection_that_is_protected(self) -> None:
        """461 in TLS, as for datagrams."""
        client = self.recorder.connect()
        self.patch(type(client.protocol), "is_secure", True)
        _, response = self.set_up(client=client)
        self.assertEqual(response.status, 461)


class OffTests(MulticastTestCase):
    groups = 0

    def test_off(self) -> None:
        """Without groups it is 461, and no socket is opened."""
        _, response = self.set_up()
        self.assertEqual(response.status, 461)
        self.assertEqual(self.clock.ports, [])
