"""Session descriptions: as Axis writes them, and as cameras break them."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import sdp
from axis_nvr.wire.sdp import (
    MediaDescription,
    Origin,
    RtpMap,
    SessionDescription,
    build_session,
    parse_fmtp,
    parse_rtpmap,
    parse_session,
)

URL = "rtsp://192.168.0.90:554/axis-media/media.amp"
#: The form of a current Axis camera: video, audio, metadata.
AXIS = f"""v=0
o=- 1188340656180883 1 IN IP4 192.168.0.90
s=Session streamed with GStreamer
i=rtsp-server
t=0 0
a=tool:GStreamer
a=type:broadcast
a=range:npt=now-
a=control:{URL}?videocodec=h264
m=video 0 RTP/AVP 96
c=IN IP4 0.0.0.0
b=AS:50000
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=4d0029;sprop-parameter-sets=Z00AKeKQ,aO48gA==
a=ts-refclk:local
a=mediaclk:sender
a=recvonly
a=control:{URL}/stream=0?videocodec=h264
a=framerate:30.000000
a=transform:1.000000,0.000000,0.000000;0.000000,1.000000,0.000000;0.000000,0.000000,1.000000
m=audio 0 RTP/AVP 97
c=IN IP4 0.0.0.0
b=AS:32
a=rtpmap:97 MPEG4-GENERIC/16000/1
a=fmtp:97 streamtype=5;profile-level-id=2;mode=AAC-hbr;config=1408;SizeLength=13;IndexLength=3
a=control:{URL}/stream=1?videocodec=h264
m=application 0 RTP/AVP 98
c=IN IP4 0.0.0.0
a=rtpmap:98 vnd.onvif.metadata/90000
a=control:{URL}/stream=2?videocodec=h264
""".replace("\n", "\r\n").encode()

WORDS = st.text("abcXYZ0189-/=;:,. é", max_size=20).map(str.strip)
NAMES = st.text("abcxyz-", min_size=1, max_size=10)


def attributes(draw: st.DrawFn) -> tuple[sdp.Attribute, ...]:
    return tuple(draw(st.lists(st.tuples(NAMES, st.none() | WORDS), max_size=4)))


@st.composite
def sessions(draw: st.DrawFn) -> SessionDescription:
    """Descriptions as our own servers would write them."""
    addresses = st.sampled_from(["", "0.0.0.0", "192.168.0.90", "ff02::1"])  # noqa: S104
    media = [
        MediaDescription(
            kind=draw(st.sampled_from(["video", "audio", "application", "text"])),
            port=draw(st.integers(0, 0xFFFF)),
            payload_types=tuple(draw(st.lists(st.integers(0, 127), max_size=3))),
            attributes=attributes(draw),
            connection=draw(addresses),
            bandwidths=tuple(draw(st.lists(st.just("AS:50000"), max_size=1))),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    return SessionDescription(
        origin=Origin("-", "12", "1", "IP4", "192.168.0.90"),
        name=draw(NAMES),
        attributes=attributes(draw),
        media=tuple(media),
        information=draw(WORDS),
        connection=draw(addresses),
    )


class AxisTests(SynchronousTestCase):
    def test_session(self) -> None:
        """The session part of an Axis description."""
        session = parse_session(AXIS)
        self.assertEqual(
            session.origin, Origin("-", "1188340656180883", "1", "IP4", "192.168.0.90")
        )
        self.assertEqual(session.name, "Session streamed with GStreamer")
        self.assertEqual(session.information, "rtsp-server")
        self.assertEqual(session.control, f"{URL}?videocodec=h264")
        self.assertEqual([m.kind for m in session.media], ["video", "audio", "application"])

    def test_media(self) -> None:
        """Its sections: payload types, rtpmap, format parameters without case, control."""
        video, audio, metadata = parse_session(AXIS).media
        self.assertEqual((video.port, video.protocol, video.payload_types), (0, "RTP/AVP", (96,)))
        self.assertEqual((video.connection, video.bandwidths), ("0.0.0.0", ("AS:50000",)))  # noqa: S104
        self.assertEqual(video.rtpmap, ("H264", 90_000, 1))
        self.assertEqual(video.fmtp["sprop-parameter-sets"], "Z00AKeKQ,aO48gA==")
        self.assertEqual(video.control, f"{URL}/stream=0?videocodec=h264")
        self.assertEqual(sdp.attribute(video.attributes, "recvonly"), "")
        self.assertEqual(audio.rtpmap, RtpMap("MPEG4-GENERIC", 16_000, 1))
        self.assertEqual((audio.fmtp["sizelength"], audio.fmtp["indexlength"]), ("13", "3"))
        self.assertEqual(metadata.rtpmap, ("vnd.onvif.metadata", 90_000, 1))

    def test_written_as_axis_does(self) -> None:
        """What is read from Axis is written byte for byte the same."""
        self.assertEqual(build_session(parse_session(AXIS)), AXIS)

    @settings(max_examples=150, deadline=None)
    @given(sessions())
    def test_there_and_back(self, session: SessionDescription) -> None:
        """What is written is read back."""
        self.assertEqual(parse_session(build_session(session)), session)

    def test_nothing_can_break_out_of_its_line(self) -> None:
        """A line end in a value does not start another line."""
        session = SessionDescription(name="a\r\nm=video 0 RTP/AVP 96", information="b\nc")
        self.assertEqual(parse_session(build_session(session)).media, ())


class CameraTests(SynchronousTestCase):
    """Each of these comes from a camera; none may cost the session."""

    def video(self, *lines: str, head: str = "v=0\r\ns=x\r\nt=0 0\r\n") -> MediaDescription:
        text = head + "\r\n".join(["m=video 0 RTP/AVP 96", *lines])
        return parse_session(text.encode()).media[0]

    def test_bad_origins(self) -> None:
        """Quirk 11: no origin line spoils a description, and none is needed."""
        for line, expected in [
            # AXIS 221 and Y-CAM
            (
                "o=- -2208991488 2208991488 IN IP4 10.255.1.119",
                Origin("-", "-2208991488", "2208991488", "IP4", "10.255.1.119"),
            ),
            # more than 64 bits
            (
                "o=RTSP 19599440071187478912 13656283801756621937 IN IP4 0.0.0.0",
                Origin("RTSP", "19599440071187478912", "13656283801756621937"),
            ),
            ("o=- 0x1f 0x1f IN IPV4 1.2.3.4", Origin("-", "0x1f", "0x1f", "IPV4", "1.2.3.4")),
            ("o=- 1 1 IP IP4 1.2.3.4", Origin("-", "1", "1", "IP4", "1.2.3.4")),
            # a user name with spaces
            (
                "o=JefferyZhang Inno Fuzhou 0 0 IN IP4 127.0.0.1",
                Origin("JefferyZhang Inno Fuzhou", "0", "0", "IP4", "127.0.0.1"),
            ),
            ("o=- 1001 1 IN ", Origin("-", "1001", "1", "", "")),  # Uniview
            ("o=- 1001", None),
            ("o=", None),
            ("a=tool:x", None),  # none at all
        ]:
            with self.subTest(line):
                text = f"v=0\r\n{line}\r\ns=x\r\nm=video 0 RTP/AVP 96\r\n"
                session = parse_session(text.encode())
                self.assertEqual(session.origin, expected)
                self.assertEqual(session.media[0].payload_types, (96,))

    def test_missing_lines(self) -> None:
        """Quirk 12: without v=, o=, s= and t=, and without a line end at the end."""
        session = parse_session(b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t0")
        self.assertEqual(session.media[0].control, "t0")
        self.assertEqual(session.media[0].rtpmap, ("H264", 90_000, 1))

    def test_session_name_in_a_media_section(self) -> None:
        """Quirk 12: an s= line behind an m= line is taken, and spoils nothing."""
        session = parse_session(b"v=0\nm=video 0 RTP/AVP 96\ns=name\na=rtpmap:96 H264/90000\n")
        self.assertEqual(session.name, "name")
        self.assertEqual(session.media[0].rtpmap, ("H264", 90_000, 1))

    def test_fmtp_in_the_wrong_media(self) -> None:
        """Quirk 12: the video's fmtp among the audio's lines goes back to the video."""
        session = parse_session(
            b"v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
            b"m=audio 0 RTP/AVP 8\na=fmtp:96 packetization-mode=1\na=control:track2\n"
        )
        video, audio = session.media
        self.assertEqual(video.fmtp, {"packetization-mode": "1"})
        self.assertEqual(audio.fmtp, {})
        self.assertEqual(audio.control, "track2")

    def test_line_ends(self) -> None:
        """Quirk 12: CRLF, LF, CR, and zero bytes at the end all end a line."""
        for end in (b"\r\n", b"\n", b"\r", b"\0"):
            text = AXIS.replace(b"\r\n", end)
            self.assertEqual(parse_session(text), parse_session(AXIS))
            self.assertEqual(parse_session(text.rstrip()), parse_session(AXIS))

    def test_uniview_empty_connection(self) -> None:
        """Quirk 13: ``c=IN`` and nothing more."""
        media = self.video("c=IN ", "a=rtpmap:96 H264/90000")
        self.assertEqual((media.connection, media.rtpmap), ("", ("H264", 90_000, 1)))

    def test_unknown_media(self) -> None:
        """Quirk 14: unknown kinds and unreadable m= lines are kept, without payload types."""
        for line, kind, payload_types in [
            ("m=application/TP-LINK 0 RTP/AVP smart/1/90000", "application/tp-link", ()),
            ("m=application/MERCURY 0 RTP/AVP smart/1/90000", "application/mercury", ()),
            ("m=metadata 0 RTP/AVP 107", "metadata", (107,)),
            ("m=vana 0 RTP/AVP 110", "vana", (110,)),
            ("m=text", "text", ()),
            ("m=", "", ()),
            ("m=video -1353744643 RTP/AVP 96", "video", (96,)),  # Tuya
            ("m=video 0/2 RTP/AVP 96 x 97 128 99999999999", "video", (96, 97)),
        ]:
            with self.subTest(line):
                text = f"v=0\r\n{line}\r\na=control:t\r\nm=audio 0 RTP/AVP 0\r\n"
                first, second = parse_session(text.encode()).media
                self.assertEqual((first.kind, first.payload_types), (kind, payload_types))
                self.assertEqual((first.port, first.control), (0, "t"))
                self.assertEqual(second.payload_types, (0,))

    def test_rtpmap_with_trailing_space(self) -> None:
        """Quirk 15: Ubiquiti and Foscam end it with a space."""
        self.assertEqual(self.video("a=rtpmap:96 H265/90000 ").rtpmap, ("H265", 90_000, 1))

    def test_bare_fmtp(self) -> None:
        """Quirk 15: an fmtp without parameters, without a number, or without anything."""
        self.assertEqual(self.video("a=fmtp:96").fmtp, {})
        self.assertEqual(self.video("a=fmtp").fmtp, {})
        self.assertEqual(self.video("a=fmtp:96  ; ;profile=1;").fmtp, {"profile": "1"})
        media = self.video("a=fmtp:packetization-mode=1;sprop-parameter-sets=Zw==")
        self.assertEqual(media.fmtp, {"packetization-mode": "1", "sprop-parameter-sets": "Zw=="})

    def test_fmtp_of_a_number_nobody_has(self) -> None:
        """Quirk 15: HIK Media Server maps 104 and describes 97."""
        media = parse_session(
            b"m=audio 0 RTP/AVP 104\r\na=rtpmap:104 MPEG4-GENERIC/16000\r\n"
            b"a=fmtp:97 streamtype=5;mode=AAC-hbr;config=1408\r\n"
        ).media[0]
        self.assertEqual(media.fmtp["config"], "1408")

    def test_malformed_rtpmaps(self) -> None:
        """Quirk 15: what is no number counts as absent."""
        self.assertEqual(parse_rtpmap("H264"), ("H264", 0, 1))
        self.assertEqual(parse_rtpmap("PCMU/eight/-1"), ("PCMU", 0, 1))
        self.assertEqual(parse_rtpmap("L16/44100/2 "), ("L16", 44_100, 2))
        self.assertIsNone(parse_rtpmap("/90000"))
        self.assertIsNone(self.video("a=rtpmap:96").rtpmap)

    def test_fmtp_values(self) -> None:
        """Values keep their case and their equal signs."""
        self.assertEqual(parse_fmtp("A=b==; C ;=x"), {"a": "b==", "c": ""})

    def test_no_description_at_all(self) -> None:
        """Nothing that looks like a line: WireError."""
        for text in (b"", b"\r\n\r\n", b"<html>no</html>", b"404 not found"):
            self.assertRaises(WireError, parse_session, text)


class LimitTests(SynchronousTestCase):
    def test_size(self) -> None:
        """A description past `MAX_SDP_BYTES` is refused."""
        self.assertRaises(WireError, parse_session, b"v=0\n" * (sdp.MAX_SDP_BYTES // 4 + 1))

    def test_lines_and_media(self) -> None:
        """Lines and media past their limits are not read."""
        session = parse_session(b"m=audio 0 RTP/AVP 0\n" * (sdp.MAX_SDP_MEDIA + 1))
        self.assertEqual(len(session.media), sdp.MAX_SDP_MEDIA)
        session = parse_session(b"v=0\n" + b"a=x\n" * (2 * sdp.MAX_SDP_LINES))
        self.assertEqual(len(session.attributes), sdp.MAX_SDP_LINES - 1)

    def test_long_numbers(self) -> None:
        """A payload type of thousands of digits is no number."""
        text = b"m=audio 0 RTP/AVP 0 " + b"1" * 10_000
        self.assertEqual(parse_session(text).media[0].payload_types, (0,))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.sampled_from(AXIS.split(b"\r\n")) | st.binary(max_size=20)), st.data())
    def test_noise(self, lines: list[bytes], data: st.DataObject) -> None:
        """Lines in any order and of any kind: a description or WireError, and it is bounded."""
        text = bytearray(b"\n".join(lines))
        for _ in range(data.draw(st.integers(0, 3)) if text else 0):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(WireError):
            session = parse_session(bytes(text))
            for media in session.media:
                self.assertLessEqual(len(media.fmtp), len(text))
                self.assertTrue(media.rtpmap is None or media.rtpmap.encoding_name)
            parse_session(build_session(session))
