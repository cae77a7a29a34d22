"""Which depacketizer a track gets."""

import base64
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.media.units import AudioFormat, Codec, VideoFormat
from axis_nvr.session.depacketizers import depacketizer_for
from axis_nvr.session.depacketizers.aac import AacDepacketizer
from axis_nvr.session.depacketizers.jpeg import JpegDepacketizer
from axis_nvr.session.depacketizers.latm import LatmDepacketizer
from axis_nvr.session.depacketizers.metadata import MetadataDepacketizer
from axis_nvr.session.tracks import TrackDescription
from tests.session.depacketizers.payloads import (
    H265_IDR,
    H265_PPS,
    H265_SPS,
    H265_VPS,
    feed,
    sample,
    video,
)


def track(
    codec: Codec | None,
    encoding_name: str = "",
    rate: int = 8000,
    channels: int = 1,
    fmtp: Mapping[str, str] | None = None,
) -> TrackDescription:
    return TrackDescription(
        0, "audio", codec, 96, rate, channels, fmtp or {}, "rtsp://h/1", None, encoding_name
    )


class ChooseTests(SynchronousTestCase):
    def test_h264(self) -> None:
        """The sets of the SDP make the format; without any, or with bad ones, there is none yet."""

        def h264(sprop: str) -> TrackDescription:
            return track(Codec.H264, fmtp={"sprop-parameter-sets": sprop})

        sprop = "Z2QAHqy0BQF/y4C1AQEBQAAAAwBAAAAPI8WLqA==,aO8Usiw="
        format_ = depacketizer_for(h264(sprop)).format
        assert isinstance(format_, VideoFormat)
        self.assertEqual((format_.width, format_.height), (640, 360))
        for bad in ("", "!", "AAAA", sprop[:8]):
            made = depacketizer_for(h264(bad))
            self.assertIsNone(made.format)
        self.assertIsNone(depacketizer_for(track(Codec.H264)).format)

    def test_h265(self) -> None:
        """Three attributes bring the sets, a fourth one says whether there are order numbers."""
        sets = {
            f"sprop-{name}": base64.b64encode(nal).decode()
            for name, nal in (("vps", H265_VPS), ("sps", H265_SPS), ("pps", H265_PPS))
        }
        for don, nal in (("0", H265_IDR), ("2", H265_IDR[:2] + b"\0\1" + H265_IDR[2:])):
            made = depacketizer_for(track(Codec.H265, fmtp={**sets, "sprop-max-don-diff": don}))
            (frame,) = feed(made, [(nal, 1, True)])
            self.assertEqual((video(frame).width, video(frame).height), (640, 360))
            self.assertEqual(frame.data, sample(H265_IDR))

    def test_sound(self) -> None:
        """Rate, channels and width of samples come from the track."""
        expected = [
            (track(Codec.PCMU, "PCMU"), AudioFormat(Codec.PCMU, b"", 8000, 1, 8)),
            (track(Codec.PCMA, "PCMA", 16000), AudioFormat(Codec.PCMA, b"", 16000, 1, 8)),
            (track(Codec.L16, "L16", 44100, 2), AudioFormat(Codec.L16, b"", 44100, 2, 16)),
            (track(Codec.G726, "G726-32"), AudioFormat(Codec.G726, b"", 8000, 1, 4)),
            (track(Codec.G726, "AAL2-G726-24"), AudioFormat(Codec.G726, b"", 8000, 1, 3)),
        ]
        for description, format_ in expected:
            self.assertEqual(depacketizer_for(description).format, format_)

    def test_the_others(self) -> None:
        """The encoding name tells the two ways of AAC apart."""
        self.assertIsInstance(depacketizer_for(track(Codec.AAC, "MPEG4-GENERIC")), AacDepacketizer)
        self.assertIsInstance(depacketizer_for(track(Codec.AAC, "MP4A-LATM")), LatmDepacketizer)
        self.assertIsInstance(depacketizer_for(track(Codec.JPEG, "JPEG")), JpegDepacketizer)
        self.assertIsInstance(depacketizer_for(track(Codec.ONVIF_METADATA)), MetadataDepacketizer)
        opus = depacketizer_for(track(Codec.OPUS, "OPUS", 48000, 2)).format
        assert isinstance(opus, AudioFormat)
        self.assertEqual(opus.channels, 2)

    def test_what_is_not_understood(self) -> None:
        """The error names it."""
        with self.assertRaisesRegex(RemoteProtocolError, "MP2T"):
            depacketizer_for(track(None, "MP2T"))
