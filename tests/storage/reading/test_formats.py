"""Formats that come back from a block's tracks."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.formats import h264_format, h265_format, jpeg_format
from axis_nvr.media.units import AudioFormat, Codec, Format, VideoFormat
from axis_nvr.storage.reading.formats import clock_hz, sample_restorer, track_format
from axis_nvr.storage.tracks import audio_track, sample_converter, video_track
from axis_nvr.wire.ebml import parse_header
from axis_nvr.wire.matroska import Track, build_tracks
from axis_nvr.wire.matroska_elements import VIDEO_TRACK
from axis_nvr.wire.matroska_reader import parse_tracks
from tests.media.test_formats import WYZE
from tests.media.test_parameter_sets import H265_SETS
from tests.storage.test_tracks import OPUS_HEAD

FORMATS: list[Format] = [
    h264_format(WYZE[:1], WYZE[1:]),
    h265_format(H265_SETS[:1], H265_SETS[1:2], H265_SETS[2:]),
    jpeg_format(1920, 1080),
    AudioFormat(Codec.AAC, b"\x12\x10", 44100, 2),
    AudioFormat(Codec.PCMU, b"", 8000, 1, 8),
    AudioFormat(Codec.PCMA, b"", 16000, 2, 8),
    AudioFormat(Codec.G726, b"", 8000, 1, 3),
    AudioFormat(Codec.L16, b"", 16000, 2, 16),
    AudioFormat(Codec.OPUS, OPUS_HEAD, 48000, 2),
]


def stored(form: Format) -> Track:
    """A track as a file gives it back."""
    assert isinstance(form, VideoFormat | AudioFormat)
    if isinstance(form, VideoFormat):
        track = video_track(1, form, Fraction(25))
    else:
        track = audio_track(1, form)
    data = build_tracks([track])
    (read,) = parse_tracks(data[parse_header(data).data_offset :])
    return read


class FormatTests(SynchronousTestCase):
    def test_each_format_comes_back(self) -> None:
        """Written to a track and read from it, a format is what it was."""
        for form in FORMATS:
            self.assertEqual(track_format(stored(form)), form)

    def test_the_same_object(self) -> None:
        """Block after block gives one object, so that nobody sees a change where there is none."""
        for form in FORMATS:
            self.assertIs(track_format(stored(form)), track_format(stored(form)))

    def test_what_cannot_be_read(self) -> None:
        """A CodecPrivate of another kind is kept as it is, with the track's size and rate."""
        for codec_id, codec in (("V_MPEG4/ISO/AVC", Codec.H264), ("V_MPEGH/ISO/HEVC", Codec.H265)):
            track = Track(1, VIDEO_TRACK, codec_id, b"odd", "", 40_000_000, 640, 480)
            expected = VideoFormat(codec, b"odd", 640, 480, Fraction(25))
            self.assertEqual(track_format(track), expected)

    def test_a_record_of_another_writer(self) -> None:
        """Parameter sets are taken from it; the record itself stays as that writer made it."""
        form = FORMATS[0]
        assert isinstance(form, VideoFormat)
        private = form.codec_private + b"\xff"
        found = track_format(Track(1, VIDEO_TRACK, "V_MPEG4/ISO/AVC", private))
        assert isinstance(found, VideoFormat)
        self.assertEqual(
            (found.codec_private, found.parameter_sets), (private, form.parameter_sets)
        )

    def test_a_codec_nobody_knows(self) -> None:
        """Its track has no format."""
        self.assertIsNone(track_format(Track(1, VIDEO_TRACK, "V_AV1")))
        for private in (b"", bytes(18)):
            self.assertIsNone(track_format(Track(1, 2, "A_MS/ACM", private)))

    def test_clocks(self) -> None:
        """Video and JPEG count 90 000 ticks a second, sound its samples."""
        self.assertEqual([clock_hz(form) for form in FORMATS[:5]], [90_000] * 3 + [44_100, 8000])


class PackingTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from([2, 3, 4, 5]), st.binary(min_size=1, max_size=12))
    def test_code_words_come_back(self, bits: int, data: bytes) -> None:
        """G.726 is packed as RTP packs it again."""
        data = data * bits  # whole groups of eight code words, as cameras send them
        form = AudioFormat(Codec.G726, b"", 8000, 1, bits)
        store, restore = sample_converter(form), sample_restorer(form)
        assert store is not None
        assert restore is not None
        self.assertEqual(restore(bytes(store(data))), data)

    def test_others_stay_as_they_are(self) -> None:
        """Only G.726 is packed differently, and only with sizes that there are."""
        for form in (*FORMATS[:6], *FORMATS[7:], AudioFormat(Codec.G726, b"", 8000, 1, 0)):
            self.assertIsNone(sample_restorer(form))
