"""Transport, Session, RTP-Info, Public: as the RFC draws them and as cameras send them."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import rtsp_headers
from axis_nvr.wire.rtsp_headers import (
    RtpInfo,
    SessionHeader,
    Transport,
    build_rtp_info,
    build_session_header,
    build_transport,
    parse_methods,
    parse_rtp_info,
    parse_session_header,
    parse_ssrc,
    parse_transports,
)

ports = st.tuples(st.integers(0, 65535), st.none() | st.integers(0, 65535))
channels = st.tuples(st.integers(0, 255), st.none() | st.integers(0, 255))
transports = st.builds(
    Transport,
    profile=st.sampled_from(["AVP", "SAVP", "AVPF", "SAVPF"]),
    lower=st.sampled_from(["TCP", "UDP"]),
    multicast=st.booleans(),
    interleaved=st.none() | channels,
    client_port=st.none() | ports,
    server_port=st.none() | ports,
    port=st.none() | ports,
    ttl=st.none() | st.integers(0, 255),
    destination=st.sampled_from(["", "239.1.2.3", "ff15::1"]),
    source=st.sampled_from(["", "10.0.0.1"]),
    ssrc=st.none() | st.integers(0, 2**32 - 1),
    mode=st.sampled_from(["", "PLAY", "RECORD"]),
)


class TransportTests(SynchronousTestCase):
    def one(self, value: str) -> Transport:
        found = parse_transports(value)
        self.assertEqual(len(found), 1)
        return found[0]

    @settings(max_examples=200, deadline=None)
    @given(st.lists(transports, min_size=1, max_size=4))
    def test_round_trip(self, given_transports: list[Transport]) -> None:
        """What is written reads back, several offers in one header too."""
        value = ",".join(build_transport(transport) for transport in given_transports)
        self.assertEqual(parse_transports(value), given_transports)

    def test_axis_forms(self) -> None:
        """The three replies of an Axis camera, and the requests they answer."""
        self.assertEqual(
            self.one('RTP/AVP;unicast;client_port=5000-5001;server_port=50000-50001;mode="PLAY"'),
            Transport(client_port=(5000, 5001), server_port=(50000, 50001), mode="PLAY"),
        )
        self.assertEqual(
            self.one('RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=8F2C11D0;mode="PLAY"'),
            Transport(lower="TCP", interleaved=(0, 1), ssrc=0x8F2C11D0, mode="PLAY"),
        )
        self.assertEqual(
            self.one(
                'RTP/AVP;multicast;destination=239.216.1.2;port=50000-50001;ttl=5;mode="PLAY"'
            ),
            Transport(
                multicast=True,
                destination="239.216.1.2",
                port=(50000, 50001),
                ttl=5,
                mode="PLAY",
            ),
        )
        self.assertEqual(
            build_transport(Transport(lower="TCP", interleaved=(0, 1))),
            "RTP/AVP/TCP;unicast;interleaved=0-1",
        )
        self.assertEqual(
            build_transport(Transport(client_port=(5000, 5001))),
            "RTP/AVP;unicast;client_port=5000-5001",
        )

    def test_ssrc_first(self) -> None:
        """Parameters may stand before ``unicast``, and before the transport itself (quirk 18)."""
        # Luckfox Pico: the ssrc stands first.
        expected = Transport(lower="TCP", interleaved=(0, 1), ssrc=0x22345678)
        for value in (
            "RTP/AVP/TCP;ssrc=22345678;unicast;interleaved=0-1",
            "ssrc=22345678;RTP/AVP/TCP;interleaved=0-1;unicast",
            "rtp/avp/tcp; unicast; interleaved = 0 - 1; ssrc=22345678;",
        ):
            self.assertEqual(self.one(value), expected, value)

    def test_ssrc_spellings(self) -> None:
        """Every spelling of an SSRC seen is read, and nonsense is None (quirk 18)."""
        for text, expected in (
            ("4D3A21B0", 0x4D3A21B0),
            (" 4d3a21b0", 0x4D3A21B0),  # Hikvision
            ("0x4D3A21B0", 0x4D3A21B0),
            ("21B0", 0x21B0),
            ("1295655344", 1295655344),  # Dahua: decimal
            ("123456789", 123456789),
            ("4294967295", 4294967295),
            ("4294967296", None),
            ("4D3A21B0F", None),
            ("", None),
            ("-1", None),
            ("unknown", None),
        ):
            self.assertEqual(parse_ssrc(text), expected, text)

    def test_short_interleaved(self) -> None:
        """One channel is read as one, none and nonsense as none (quirk 8)."""
        for value, expected in (
            ("interleaved=2", (2, None)),
            ("interleaved=3-4", (3, 4)),
            ("interleaved=", None),
            ("interleaved=256-257", None),
            ("interleaved=a-b", None),
            ("unicast", None),
        ):
            self.assertEqual(self.one(f"RTP/AVP/TCP;{value}").interleaved, expected)

    def test_no_rtp(self) -> None:
        """A header that offers no RTP is refused; one offer among others is enough."""
        for value in ("", "RAW/RAW/UDP;unicast", ";;;,"):
            self.assertRaises(WireError, parse_transports, value)
        self.assertEqual(parse_transports("RAW/RAW/UDP,RTP/AVP"), [Transport()])


class SessionHeaderTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Identifier and timeout are read with and without spaces, quotes and decimals."""
        for value, expected in (
            ("0123456789ABCDEF;timeout=60", SessionHeader("0123456789ABCDEF", 60)),
            ("abc ; Timeout = 30 ", SessionHeader("abc", 30)),
            ('abc;timeout="45"', SessionHeader("abc", 45)),
            ("abc;timeout=60.0", SessionHeader("abc", 60)),
            ("abc", SessionHeader("abc")),
            ("abc;timeout=", SessionHeader("abc")),
            ("abc;timeout=0", SessionHeader("abc")),
            ("abc;timeout=999999999", SessionHeader("abc", 86400)),
        ):
            self.assertEqual(parse_session_header(value), expected, value)

    def test_refused(self) -> None:
        """No identifier, or one without end, is refused."""
        for value in ("", ";timeout=60", "x" * 257):
            self.assertRaises(WireError, parse_session_header, value)

    def test_built(self) -> None:
        """The header is written as Axis cameras write it."""
        self.assertEqual(build_session_header(SessionHeader("abc", 60)), "abc;timeout=60")
        self.assertEqual(build_session_header(SessionHeader("abc")), "abc")


class RtpInfoTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """A space after the comma (Axis) and a semicolon at the end (Laureii) are nothing.

        Quirk 20.
        """
        first = RtpInfo("rtsp://a/axis-media/media.amp/stream=0?x=1", 8374, 2733478302)
        second = RtpInfo("rtsp://a/axis-media/media.amp/stream=1?x=1", 1, 0)
        text = [
            f"url={i.url};seq={i.sequence_number};rtptime={i.timestamp}" for i in (first, second)
        ]
        for value in (
            ", ".join(text),
            ",".join(text),
            ";,".join(text) + ";",
            build_rtp_info([first, second]),
        ):
            self.assertEqual(parse_rtp_info(value), [first, second], value)

    def test_nonsense_numbers(self) -> None:
        """What is not a number, or too large for its field, is not known (quirk 21)."""
        for value, expected in (
            ("url=a;seq=;rtptime=", RtpInfo("a")),
            ("url=a;seq=65536;rtptime=4294967296", RtpInfo("a")),
            ("url=a;seq=-1;rtptime=0x10", RtpInfo("a")),
            ("url=a;rtptime=7;seq=1", RtpInfo("a", 1, 7)),
            ("url=a", RtpInfo("a")),
            ("url=trackID=1;seq=3", RtpInfo("trackID=1", 3)),
        ):
            self.assertEqual(parse_rtp_info(value), [expected], value)
        for value in ("", "seq=1;rtptime=2", ",,,;"):
            self.assertEqual(parse_rtp_info(value), [])

    def test_url_with_marks(self) -> None:
        """Commas and semicolons within a URL do not end it."""
        url = "rtsp://a/live;id=1?roi=1,2,3"
        self.assertEqual(
            parse_rtp_info(f"url={url};seq=1, url=b;seq=2"), [RtpInfo(url, 1), RtpInfo("b", 2)]
        )

    def test_bounded(self) -> None:
        """More entries than a camera has tracks are not kept."""
        self.assertEqual(len(parse_rtp_info("url=a," * 1000)), rtsp_headers.MAX_RTP_INFO)


class MethodsTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Commas, spaces, several headers and small letters all name methods."""
        self.assertEqual(
            parse_methods(["OPTIONS, describe,,", "PLAY GET_PARAMETER"]),
            {"OPTIONS", "DESCRIBE", "PLAY", "GET_PARAMETER"},
        )
        self.assertEqual(parse_methods([]), frozenset())


class FuzzTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from([parse_transports, parse_session_header, parse_rtp_info, parse_ssrc]),
        st.text(
            st.sampled_from("=;,-.\"' \t0159afTZxunport/RTPAVPclientssrc_:url\xff"), max_size=80
        ),
        st.sampled_from(["", "RTP/AVP;", "abc;timeout=", "url=", "0x"]),
    )
    def test_fuzz(self, parser: Callable[[str], object], noise: str, prefix: str) -> None:
        """No value raises anything but `WireError`."""
        try:
            parser(prefix + noise)
        except WireError as error:
            self.assertLess(len(str(error)), 200)
