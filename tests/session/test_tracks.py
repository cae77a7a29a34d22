"""Tracks: codecs, clocks and control URLs, from what cameras answer to DESCRIBE."""

from fractions import Fraction
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import Codec
from axis_nvr.session.control_urls import base_url, control_url
from axis_nvr.session.tracks import TrackDescription, describe_tracks
from axis_nvr.wire.sdp import parse_session

BASE = "rtsp://192.168.0.90/axis-media/media.amp/"


def tracks(*lines: str) -> list[TrackDescription]:
    """The tracks of a description of these lines."""
    return describe_tracks(parse_session("\r\n".join(["v=0", *lines]).encode()), BASE)


class TrackTests(SynchronousTestCase):
    def test_an_axis_camera(self) -> None:
        """Video, audio and metadata of an Axis camera."""
        video, audio, metadata = tracks(
            "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/90000",
            "a=fmtp:96 packetization-mode=1",
            "a=control:rtsp://192.168.0.90/axis-media/media.amp/stream=0?fps=25",
            "a=framerate:29.97",
            "m=audio 0 RTP/AVP 97",
            "a=rtpmap:97 mpeg4-generic/16000/2",
            "a=fmtp:97 Mode=AAC-hbr;config=1408",
            "a=control:trackID=2",
            "m=application 0 RTP/AVP 98",
            "a=rtpmap:98 vnd.onvif.metadata/90000",
        )
        self.assertEqual(
            video,
            TrackDescription(
                index=0,
                kind="video",
                codec=Codec.H264,
                payload_type=96,
                clock_rate=90_000,
                channels=1,
                fmtp={"packetization-mode": "1"},
                control="rtsp://192.168.0.90/axis-media/media.amp/stream=0?fps=25",
                frame_rate=Fraction(2997, 100),
                encoding_name="H264",
            ),
        )
        self.assertEqual((audio.codec, audio.clock_rate, audio.channels), (Codec.AAC, 16_000, 2))
        self.assertEqual((audio.control, audio.index), (BASE + "trackID=2", 1))
        self.assertEqual((metadata.codec, metadata.control), (Codec.ONVIF_METADATA, BASE))

    def test_codecs(self) -> None:
        """Each encoding name, without case, and each static payload type has its codec."""
        for number, rtpmap, codec, clock_rate, channels in [
            (96, "h265/90000", Codec.H265, 90_000, 1),
            (26, "", Codec.JPEG, 90_000, 1),
            (97, "MP4A-LATM/48000/2", Codec.AAC, 48_000, 2),
            (0, "", Codec.PCMU, 8_000, 1),
            (8, "PCMA/16000", Codec.PCMA, 16_000, 1),
            (10, "", Codec.L16, 44_100, 2),
            (11, "", Codec.L16, 44_100, 1),
            (2, "", Codec.G726, 8_000, 1),
            (97, "G726-16/8000", Codec.G726, 8_000, 1),
            (97, "AAL2-G726-40/8000", Codec.G726, 8_000, 1),
            (97, "opus/48000/2", Codec.OPUS, 48_000, 2),
            (9, "", None, 8_000, 1),
            (96, "MP4V-ES/90000", None, 90_000, 1),
            (107, "vnd.onvif.metadata.gzip/90000", None, 90_000, 1),
        ]:
            with self.subTest(number=number, rtpmap=rtpmap):
                lines = [f"a=rtpmap:{number} {rtpmap}"] if rtpmap else []
                (track,) = tracks(f"m=audio 0 RTP/AVP {number}", *lines)
                self.assertEqual(
                    (track.codec, track.clock_rate, track.channels), (codec, clock_rate, channels)
                )

    def test_bosch_h264_on_35(self) -> None:
        """Quirk 15: Bosch FLEXIDOME sends H.264 as payload type 35."""
        (track,) = tracks(
            "m=video 0 RTP/AVP 35",
            "a=rtpmap:35 H264/90000",
            "a=control:rtsp://10.100.14.102:554/?inst=2&h26x=4&stream=video",
            "a=fmtp:35 packetization-mode=1;profile-level-id=4d4029",
        )
        self.assertEqual((track.codec, track.payload_type), (Codec.H264, 35))
        self.assertEqual(track.control, "rtsp://10.100.14.102:554/?inst=2&h26x=4&stream=video")

    def test_hikvision_pcm_on_11(self) -> None:
        """Quirk 15: Hikvision maps payload type 11 to PCM of another rate."""
        (track,) = tracks("m=audio 0 RTP/AVP 11", "a=rtpmap:11 PCM/48000")
        self.assertEqual((track.codec, track.clock_rate), (Codec.L16, 48_000))

    def test_unknown_media_is_ignored(self) -> None:
        """Quirk 14: what cannot be read is a track without codec; the others are not harmed."""
        first, second, third = tracks(
            "m=application/TP-LINK 0 RTP/AVP smart/1/90000",
            "a=rtpmap:95 TP-LINK/90000",
            "m=vana 0 RTP/AVP 110",
            "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/90000",
        )
        self.assertEqual((first.codec, first.payload_type, first.index), (None, -1, 0))
        self.assertEqual((second.codec, second.payload_type), (None, 110))
        self.assertEqual((third.codec, third.index), (Codec.H264, 2))

    def test_first_understood_payload_type(self) -> None:
        """Of several payload types the first that is understood is taken."""
        (track,) = tracks(
            "m=video 0 RTP/AVP 98 96 97",
            "a=rtpmap:98 MP4V-ES/90000",
            "a=rtpmap:96 H264/90000",
            "a=rtpmap:97 H265/90000",
            "a=fmtp:96 packetization-mode=1",
        )
        self.assertEqual((track.payload_type, track.codec), (96, Codec.H264))
        self.assertEqual(track.fmtp, {"packetization-mode": "1"})

    def test_dahua_back_channel(self) -> None:
        """A second audio section that is sendonly is the loudspeaker, not to be recorded."""
        first, second = tracks(
            "m=audio 0 RTP/AVP 8", "a=recvonly", "m=audio 0 RTP/AVP 8", "a=sendonly"
        )
        self.assertEqual((first.codec, second.codec), (Codec.PCMA, None))

    def test_celp_is_not_aac(self) -> None:
        """MPEG4-GENERIC in a mode other than AAC is not understood."""
        (track,) = tracks(
            "m=audio 0 RTP/AVP 97", "a=rtpmap:97 MPEG4-GENERIC/8000", "a=fmtp:97 mode=CELP-cbr"
        )
        self.assertIsNone(track.codec)

    def test_nonsense_numbers(self) -> None:
        """Clock rates, channels and frame rates out of all bounds get sane values."""
        video, audio = tracks(
            "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/0",
            "a=framerate:0S",
            "a=framerate:25",
            "m=audio 0 RTP/AVP 0",
            "a=rtpmap:0 PCMU/9999999999/9999999999",
            "a=framerate:1e9",
        )
        self.assertEqual((video.clock_rate, video.frame_rate), (90_000, 25))
        self.assertEqual((audio.clock_rate, audio.channels, audio.frame_rate), (8_000, 1, None))

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.sampled_from(["video", "audio", "application", ""]).map(lambda k: f"m={k} 0 x 96 0")
            | st.text("m=vido 0RTP/A96:*?", max_size=20)
            | st.builds(
                "a={}:96 {}".format,
                st.sampled_from(["rtpmap", "fmtp", "control", "framerate"]),
                st.sampled_from(["H264/90000", "L16/1/9", "/", "mode=x", "1/0", "1e400"])
                | st.text("0123456789./:?[]@=", max_size=12),
            ),
            max_size=20,
        )
    )
    def test_noise(self, lines: list[str]) -> None:
        """Whatever can be read as SDP can be described, each section as a track."""
        session = parse_session("\n".join(["v=0", *lines]).encode())
        found = describe_tracks(session, BASE)
        self.assertEqual([track.index for track in found], list(range(len(session.media))))
        for track in found:
            self.assertTrue(0 < track.clock_rate <= 10_000_000)
            self.assertTrue(track.frame_rate is None or 0 < track.frame_rate <= 1_000)
            self.assertTrue(0 < track.channels <= 64)


class BaseTests(SynchronousTestCase):
    """Quirk 16: what control attributes are relative to."""

    REQUEST = "rtsp://192.168.1.10:554/stream0"

    def base(self, content_base: str | None, content_location: str | None = None) -> str:
        return base_url(self.REQUEST, content_base, content_location)

    def test_order(self) -> None:
        """Content-Base, then Content-Location, then the request (RFC 2326 §C.1.1)."""
        self.assertEqual(self.base("rtsp://a/b/", "rtsp://c/d/"), "rtsp://a/b/")
        self.assertEqual(self.base(None, "rtsp://c/d/"), "rtsp://c/d/")
        self.assertEqual(self.base(" ", None), self.REQUEST)

    def test_content_base_without_scheme(self) -> None:
        """Quirk 16: SV3C and apps for Android leave ``rtsp://`` away."""
        self.assertEqual(self.base("192.168.1.10:554/stream0/"), self.REQUEST + "/")
        self.assertEqual(self.base("192.168.1.10:1935/"), "rtsp://192.168.1.10:1935/")
        self.assertEqual(self.base("192.168.1.10"), "rtsp://192.168.1.10")
        self.assertEqual(self.base("camera.lan:554/x"), "rtsp://camera.lan:554/x")
        self.assertEqual(self.base("//camera.lan/x"), "rtsp://camera.lan/x")

    def test_content_base_with_two_schemes(self) -> None:
        """Quirk 16: ``rtsp://rtsp://``."""
        self.assertEqual(
            self.base("rtsp://rtsp://turret2-cam.lan:554/stream1/"),
            "rtsp://turret2-cam.lan:554/stream1/",
        )

    def test_content_base_with_bare_ipv6(self) -> None:
        """Quirk 16: an IPv6 address without brackets gives way to the one we know."""
        self.assertEqual(
            self.base("rtsp://::ffff:192.168.1.10:554/onvif/profile.1/"),
            "rtsp://192.168.1.10:554/onvif/profile.1/",
        )
        self.assertEqual(self.base("rtsp://[fe80::1]:554/x/"), "rtsp://[fe80::1]:554/x/")
        self.assertEqual(self.base("rtsp:///x/"), "rtsp://192.168.1.10:554/x/")

    def test_relative_content_base(self) -> None:
        """Quirk 16: a path, or the end of one."""
        self.assertEqual(self.base("/live/"), "rtsp://192.168.1.10:554/live/")
        self.assertEqual(self.base("live/"), "rtsp://192.168.1.10:554/live/")

    @settings(max_examples=300, deadline=None)
    @given(st.text("rtsp:/?[]@.019ax%= ", max_size=30), st.text("rtsp:/?[]@.019ax%*=", max_size=30))
    def test_noise(self, content_base: str, control: str) -> None:
        """Whatever stands there, an absolute URL comes out."""
        base = self.base(content_base)
        self.assertIn("://", base)
        self.assertIn("://", control_url(base, control))


class ControlTests(SynchronousTestCase):
    """Quirk 16: control attributes."""

    def test_absolute(self) -> None:
        """An absolute URL is used as given."""
        url = "rtsp://192.168.0.90/axis-media/media.amp/stream=0?fps=25&resolution=640x480"
        self.assertEqual(control_url(BASE, url), url)
        self.assertEqual(control_url(BASE, "rtsp://" + url), url)

    def test_aggregate(self) -> None:
        """``*``, nothing, or no attribute stand for the base."""
        for control in ("*", "", None, " * "):
            self.assertEqual(control_url(BASE, control), BASE)

    def test_slash_joins(self) -> None:
        """One slash between base and control, whoever brings it."""
        for base in ("rtsp://h/live", "rtsp://h/live/"):
            for control in ("trackID=1", "/trackID=1"):
                self.assertEqual(control_url(base, control), "rtsp://h/live/trackID=1")

    def test_verint_whole_path(self) -> None:
        """A path from the root stays one: no second slash, which Verint answers with 404."""
        expected = "rtsp://192.168.101.22/media/1/video/1"
        for base in ("rtsp://192.168.101.22/", "rtsp://192.168.101.22/media/1/video/1/"):
            self.assertEqual(control_url(base, "/media/1/video/1"), expected)

    def test_query_in_the_middle(self) -> None:
        """A control goes behind the query of the base, as Axis and Dahua expect of players."""
        self.assertEqual(
            control_url("rtsp://h/axis-media/media.amp?fps=25", "trackID=1"),
            "rtsp://h/axis-media/media.amp?fps=25/trackID=1",
        )
        self.assertEqual(
            control_url("rtsp://h/cam/realmonitor?channel=1&subtype=0/", "trackID=0"),
            "rtsp://h/cam/realmonitor?channel=1&subtype=0/trackID=0",
        )
        self.assertEqual(control_url("rtsp://h/x/", "?ctype=video"), "rtsp://h/x/?ctype=video")

    def test_host_stays(self) -> None:
        """A relative control never leads to another host."""
        for control in ("trackID=1", "/a/b", "?x", "//evil/x", "x:1"):
            url = control_url("rtsp://192.168.0.90/live", control)
            self.assertEqual(urlsplit(url).hostname, "192.168.0.90", control)
