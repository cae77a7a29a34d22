"""What is offered in SETUP, and what the answers of cameras come to."""

from collections.abc import Collection

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.session.transports import (
    Delivery,
    InterleavedTransport,
    MulticastTransport,
    TrackTransport,
    TransportChoice,
    UnicastTransport,
    complete,
    offer,
)
from axis_nvr.wire.rtsp_headers import Transport

TCP = Transport(lower="TCP", interleaved=(2, 3))
UDP = Transport(client_port=(5000, 5001))
GROUP = Transport(multicast=True)


class OfferTests(SynchronousTestCase):
    def test_interleaved(self) -> None:
        """Channels go up in pairs, around those that cameras have taken otherwise."""
        choice = TransportChoice()
        for position, taken, expected in (
            (0, (), (0, 1)),
            (1, (0, 1), (2, 3)),
            (1, (3,), (4, 5)),
            (2, (4, 7), (8, 9)),
        ):
            offered = offer(choice, position, taken)
            assert offered is not None
            self.assertEqual(offered.interleaved, expected)
        self.assertIsNone(offer(choice, 0, range(256)))

    def test_ports(self) -> None:
        """Each track gets the next pair of ports; none left: None."""
        choice = TransportChoice(Delivery.UNICAST, ((5000, 5001),))
        self.assertEqual(offer(choice, 0, ()), UDP)
        self.assertIsNone(offer(choice, 1, ()))
        self.assertEqual(offer(TransportChoice(Delivery.MULTICAST), 5, ()), GROUP)


class CompleteTests(SynchronousTestCase):
    def check(
        self,
        offered: Transport,
        cases: Collection[tuple[str, TrackTransport | None]],
        taken: Collection[int] = (),
    ) -> None:
        """Each answer comes to its transport, or breaks the protocol."""
        for answer, expected in cases:
            if expected is None:
                self.assertRaises(RemoteProtocolError, complete, offered, answer, taken)
            else:
                self.assertEqual(complete(offered, answer, taken), expected, answer)

    def test_interleaved_answers(self) -> None:
        """Other, odd, single and no channels, and no ``/TCP``: the answer counts (quirk 8)."""
        self.check(
            TCP,
            [
                ("RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=1", InterleavedTransport(2, 3, 1)),
                ("RTP/AVP/TCP;unicast;interleaved=0-1", InterleavedTransport(0, 1)),
                ("RTP/AVP/TCP;unicast;interleaved=5-6", InterleavedTransport(5, 6)),
                ("RTP/AVP/TCP;unicast;interleaved=7-4", InterleavedTransport(7, 4)),
                ("RTP/AVP/TCP;unicast;interleaved=4", InterleavedTransport(4, 5)),
                ("RTP/AVP/TCP;unicast;interleaved=4-4", InterleavedTransport(4, None)),
                ("RTP/AVP/TCP;unicast;interleaved=255", InterleavedTransport(255, None)),
                ("RTP/AVP/TCP;unicast", InterleavedTransport(2, 3)),
                ("RTP/AVP;unicast;interleaved=2-3", InterleavedTransport(2, 3)),  # Escam Q6
                ("RTP/AVP;unicast", InterleavedTransport(2, 3)),
                ("", InterleavedTransport(2, 3)),
                ("RTP/AVP;unicast;client_port=1-2;server_port=3-4", None),
                ("RTP/SAVP/TCP;unicast;interleaved=2-3", None),
                ("nonsense", None),
            ],
        )

    def test_same_channels_for_all(self) -> None:
        """A camera that answers every SETUP with 0-1 means what we asked for (quirk 8)."""
        self.check(
            TCP,
            [
                ("RTP/AVP/TCP;interleaved=0-1", InterleavedTransport(2, 3)),
                ("RTP/AVP/TCP;interleaved=1-0", InterleavedTransport(1, None)),
            ],
            taken={0},
        )
        self.check(TCP, [("RTP/AVP/TCP;interleaved=0-1", None)], taken={0, 2})

    def test_unicast_answers(self) -> None:
        """Ports that are not told, or only the first one, are no obstacle (quirk 22)."""
        self.check(
            UDP,
            [
                (
                    "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;source=10.0.0.1",
                    UnicastTransport((5000, 5001), (6000, 6001), "10.0.0.1"),
                ),
                ("RTP/AVP;unicast;client_port=5000-5001", UnicastTransport((5000, 5001))),
                ("RTP/AVP/UDP;server_port=6000", UnicastTransport((5000, 5001), (6000, 6001))),
                ("", UnicastTransport((5000, 5001))),
                ("RTP/AVP/TCP;interleaved=0-1", InterleavedTransport(0, 1)),
                (
                    "RTP/AVP;multicast;destination=239.1.2.3;port=7000;ttl=3",
                    MulticastTransport("239.1.2.3", (7000, 7001), 3),
                ),
            ],
        )

    def test_multicast_answers(self) -> None:
        """Group and port come from the answer, else from the session description."""
        self.check(
            GROUP,
            [
                (
                    "RTP/AVP;multicast;destination=239.1.2.3;port=7000-7001;source=10.0.0.1;ssrc=5",
                    MulticastTransport("239.1.2.3", (7000, 7001), None, "10.0.0.1", 5),
                ),
                (
                    "RTP/AVP;destination=ff15::1;client_port=7000-7001",
                    MulticastTransport("ff15::1", (7000, 7001)),
                ),
                ("RTP/AVP;multicast", None),
                ("RTP/AVP;multicast;destination=239.1.2.3", None),
                ("", None),
            ],
        )
        self.assertEqual(
            complete(GROUP, "RTP/AVP;multicast", (), "239.9.9.9", 8000),
            MulticastTransport("239.9.9.9", (8000, 8001)),
        )

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from([TCP, UDP, GROUP]),
        st.lists(
            st.sampled_from(
                [
                    "RTP/AVP",
                    "RTP/AVP/TCP",
                    "multicast",
                    "interleaved=0-1",
                    "interleaved=255-0",
                    "port=1",
                    "server_port=65535",
                    "destination=x",
                    "ssrc=zz",
                    ",",
                    "",
                ]
            ),
            max_size=6,
        ),
        st.sets(st.integers(0, 255), max_size=3),
    )
    def test_fuzz(self, offered: Transport, parts: list[str], taken: set[int]) -> None:
        """No answer raises anything else, and no channel is given twice."""
        try:
            transport = complete(offered, ";".join(parts), taken)
        except RemoteProtocolError:
            return
        if isinstance(transport, InterleavedTransport):
            self.assertNotIn(transport.rtp_channel, taken)
            self.assertNotIn(transport.rtcp_channel, taken)
