"""The description is in the form of Axis devices, and our own client reads it."""

from fractions import Fraction

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import Codec
from axis_nvr.session.server.description import (
    aac_track,
    describe,
    h264_track,
    h265_track,
    metadata_track,
    pcmu_track,
)
from axis_nvr.session.server.presentation_url import parse_url
from axis_nvr.wire.sdp import parse_session

URL = "rtsp://10.0.0.2:554/axis-media/media.amp?audio=1&event=on"

EXPECTED = """\
v=0
o=- 1234 1 IN IP4 10.0.0.2
s=Session streamed with GStreamer
i=rtsp-server
t=0 0
a=tool:GStreamer
a=type:broadcast
a=range:npt=now-
a=control:rtsp://10.0.0.2:554/axis-media/media.amp?audio=1&event=on
m=video 0 RTP/AVP 96
c=IN IP4 0.0.0.0
b=AS:50000
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=Z2QAKA==,aO4=
a=ts-refclk:local
a=mediaclk:sender
a=recvonly
a=control:rtsp://10.0.0.2:554/axis-media/media.amp/stream=0?audio=1&event=on
a=framerate:30.000000
a=transform:1.0,0,0;0,1.0,0;0,0,1.0
m=audio 0 RTP/AVP 97
c=IN IP4 0.0.0.0
b=AS:32
a=rtpmap:97 MPEG4-GENERIC/16000/1
a=fmtp:97 streamtype=5;profile-level-id=2;mode=AAC-hbr;config=1408;sizelength=13;indexlength=3;\
indexdeltalength=3;bitrate=32000
a=ts-refclk:local
a=mediaclk:sender
a=recvonly
a=control:rtsp://10.0.0.2:554/axis-media/media.amp/stream=1?audio=1&event=on
m=application 0 RTP/AVP 98
c=IN IP4 0.0.0.0
a=rtpmap:98 vnd.onvif.metadata/90000
a=ts-refclk:local
a=mediaclk:sender
a=recvonly
a=control:rtsp://10.0.0.2:554/axis-media/media.amp/stream=2?audio=1&event=on
"""


class DescriptionTests(SynchronousTestCase):
    def test_word_for_word(self) -> None:
        """Session lines, order of tracks and of attributes are those of an Axis device."""
        tracks = [
            h264_track([b"\x67\x64\x00\x28", b"\x68\xee"], Fraction(30)),
            aac_track(b"\x14\x08", 16000, 1),
            metadata_track(),
        ]
        text = describe(tracks, parse_url(URL), number=1234, address="10.0.0.2").decode()
        self.assertEqual(text, EXPECTED.replace("\n", "\r\n"))

    def test_h265_and_g711(self) -> None:
        """H.265 names each kind of parameter set, G.711 has its static payload type."""
        video = h265_track([b"\x40\x01v", b"\x42\x01s", b"\x44\x01p"], Fraction(25, 2))
        self.assertEqual(video.fmtp, "sprop-vps=QAF2;sprop-sps=QgFz;sprop-pps=RAFw")
        self.assertIn(("framerate", "12.500000"), video.attributes)
        sound = pcmu_track()
        self.assertEqual((video.clock_rate, sound.clock_rate), (90000, 8000))
        text = describe([sound], parse_url(URL), number=1, address="::1")
        (media,) = parse_session(text).media
        self.assertEqual((media.payload_types, media.rtpmap and media.rtpmap[0]), ((0,), "PCMU"))
        self.assertEqual(Codec.PCMU, (media.rtpmap or [""])[0].lower())
