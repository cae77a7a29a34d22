"""What formats are called."""

import struct
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AudioFormat, Codec, VideoFormat
from axis_nvr.storage.index import MediaRow
from axis_nvr.storage.stream_tracks import StreamTracks
from axis_nvr.storage.tracks import audio_track, nominal_frame_rate, sample_converter, video_track
from tests.storage.making import START_US, unit

HEVC = VideoFormat(Codec.H265, b"hvcC", 3840, 2160, Fraction(30000, 1001))
AAC = AudioFormat(Codec.AAC, b"\x12\x10", 44100, 2)
OPUS_HEAD = b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"


class MatroskaTests(SynchronousTestCase):
    def test_video(self) -> None:
        """Decoder configuration, size and nominal frame duration."""
        track = video_track(1, HEVC, HEVC.frame_rate)
        self.assertEqual((track.codec_id, track.codec_private), ("V_MPEGH/ISO/HEVC", b"hvcC"))
        self.assertEqual((track.width, track.height), (3840, 2160))
        self.assertEqual((track.default_duration_ns, track.name), (33_366_667, "Video"))
        self.assertEqual(video_track(1, HEVC, None).default_duration_ns, 0)

    def test_wave_formats(self) -> None:
        """G.711 and G.726 are set up by a WAVEFORMATEX."""
        for codec, bits, expected in (
            (Codec.PCMU, 8, (7, 1, 8000, 8000, 1, 8, 0)),
            (Codec.PCMA, 8, (6, 1, 8000, 8000, 1, 8, 0)),
            (Codec.G726, 4, (0x45, 1, 8000, 4000, 1, 4, 0)),
            (Codec.G726, 3, (0x45, 1, 8000, 3000, 1, 3, 0)),
        ):
            track = audio_track(2, AudioFormat(codec, b"", 8000, 1, bits))
            self.assertEqual(track.codec_id, "A_MS/ACM")
            self.assertEqual(struct.unpack("<HHIIHHH", track.codec_private), expected)

    def test_opus(self) -> None:
        """The pre-skip is the codec delay; a decoder needs 80 ms before it is right."""
        track = audio_track(2, AudioFormat(Codec.OPUS, OPUS_HEAD, 16000, 2))
        self.assertEqual((track.codec_id, track.sample_rate), ("A_OPUS", 48000))
        self.assertEqual((track.codec_delay_ns, track.seek_pre_roll_ns), (6_500_000, 80_000_000))

    def test_linear_samples(self) -> None:
        """L16 is big endian, as it comes."""
        track = audio_track(2, AudioFormat(Codec.L16, b"", 16000, 2, 16))
        self.assertEqual((track.codec_id, track.bit_depth), ("A_PCM/INT/BIG", 16))


class FrameRateTests(SynchronousTestCase):
    def test_what_the_stream_says(self) -> None:
        """It goes before what the pictures show, unless it is absurd."""
        units = [unit(START_US), unit(START_US + 40_000)]
        self.assertEqual(nominal_frame_rate(HEVC, units), Fraction(30000, 1001))
        for rate in (Fraction(0), Fraction(90_000)):
            odd = VideoFormat(Codec.H264, b"", 1, 1, rate)
            self.assertEqual(nominal_frame_rate(odd, units), 25)

    def test_what_the_pictures_show(self) -> None:
        """25 pictures with the noise of arrival are 25 a second; one picture shows nothing."""
        units = [unit(START_US + i * 40_000 + i % 3 * 300) for i in range(50)]
        silent = VideoFormat(Codec.H264, b"", 1, 1)
        self.assertEqual(nominal_frame_rate(silent, units), 25)
        self.assertIsNone(nominal_frame_rate(silent, units[:1]))
        slow = [unit(START_US + i * 2_000_000) for i in range(3)]
        self.assertEqual(nominal_frame_rate(silent, slow), Fraction(1, 2))

    def test_what_was_asked_for(self) -> None:
        """It stands behind what the stream says, and before what the pictures show."""
        silent = VideoFormat(Codec.H264, b"", 1, 1)
        units = [unit(START_US), unit(START_US + 100_000)]
        asked = StreamTracks.of_units({0: silent}, units, Fraction(25))
        self.assertEqual(asked.frame_rate, 25)
        self.assertEqual(StreamTracks.of_units({0: silent}, units, None).frame_rate, 10)
        told = StreamTracks.of_units({0: HEVC}, units, Fraction(25))
        self.assertEqual(told.frame_rate, Fraction(30000, 1001))


class StreamTracksTests(SynchronousTestCase):
    def test_video_is_first(self) -> None:
        """Whatever the order in the stream, the video track is number 1."""
        streams = StreamTracks({0: AAC, 3: HEVC}, Fraction(25))
        self.assertEqual([(i, t.number) for i, t in streams.numbered().items()], [(3, 1), (0, 2)])
        self.assertEqual([t.number for t in streams.matroska()], [1, 2])

    def test_xml(self) -> None:
        """Video as Axis devices have it, sound in the same spirit, each track with a token."""
        video, first, second = StreamTracks({0: HEVC, 1: AAC, 2: AAC}, Fraction(30)).xml()
        self.assertEqual(
            video.attributes,
            (
                ("Width", "3840"),
                ("Height", "2160"),
                ("Framerate", "30.00000"),
                ("Framerate_fraction", "30:1"),
                ("Encoding", "video/x-h265"),
                ("Bitrate", "0"),
            ),
        )
        self.assertEqual((first.token, second.token, second.kind), ("Audio", "Audio2", "Audio"))
        self.assertIn(("Encoding", "audio/mpeg"), first.attributes)

    def test_the_index(self) -> None:
        """Properties are lines of quoted names and values."""
        streams = StreamTracks({0: HEVC, 1: AAC}, Fraction(30))
        expected = '"width"="3840"\n"height"="2160"\n"framerate"="30:1"\n"resolution"="3840x2160"'
        self.assertEqual(streams.video_row(), MediaRow("video/x-h265", expected))
        self.assertEqual(
            streams.audio_row(), MediaRow("audio/mpeg", '"samplerate"="44100"\n"channels"="2"')
        )
        self.assertIsNone(StreamTracks({1: AAC}).video_row())


class PackingTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(st.sampled_from([2, 3, 4, 5]), st.lists(st.integers(0, 31), min_size=8, max_size=24))
    def test_code_words_keep_their_order(self, bits: int, words: list[int]) -> None:
        """What RTP packs from the lowest bit up, a file packs from the highest bit down."""
        words = [word & (1 << bits) - 1 for word in words[: len(words) // 8 * 8]]
        low, high = 0, 0
        for at, word in enumerate(words):
            low |= word << at * bits
            high = high << bits | word
        size = len(words) * bits // 8
        convert = sample_converter(AudioFormat(Codec.G726, b"", 8000, 1, bits))
        assert convert is not None
        self.assertEqual(convert(low.to_bytes(size, "little")), high.to_bytes(size, "big"))

    def test_others_stay_as_they_are(self) -> None:
        """Only G.726 is packed differently."""
        self.assertIsNone(sample_converter(AAC))
