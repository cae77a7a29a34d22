"""LATM, as MP4A-LATM carries it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import latm
from tests.wire.bit_writer import BitWriter

#: The config of GStreamer 1.22's rtpmp4apay: AAC-LC, 16 kHz, mono.
GSTREAMER = bytes.fromhex("40002810")


def mux_config(
    *,
    version: int = 0,
    frames: int = 1,
    programs: int = 1,
    layers: int = 1,
    same_framing: int = 1,
    length_type: int = 0,
    other: int = 0,
    crc: int = 0,
) -> BitWriter:
    """Write a StreamMuxConfig of AAC-LC, 48 kHz, stereo."""
    bits = BitWriter().u(1, version)
    if version:
        bits.u(1, 0).u(2, 0).u(8, 0xFF)
    bits.u(1, same_framing).u(6, frames - 1).u(4, programs - 1).u(3, layers - 1)
    if version:
        bits.u(2, 1).u(16, 5 * 8 - 3)  # the configuration with its extension, not to a byte
        bits.u(32, 0x119056E5).u(5, 0)
    else:
        bits.u(16, 0x1190)
    bits.u(3, length_type).u(8 if length_type != 1 else 9, 0xFF if length_type != 1 else 1)
    if other and version:
        bits.u(1, 1).u(2, 1).u(16, other)
    elif other:
        bits.u(1, 1).u(1, 1).u(8, other >> 8).u(1, 0).u(8, other & 0xFF)
    else:
        bits.u(1, 0)
    bits.u(1, crc)
    return bits.u(8, 0x55) if crc else bits


class ConfigTests(SynchronousTestCase):
    def test_gstreamer(self) -> None:
        """The config of a real sender's SDP."""
        config = latm.parse_stream_mux_config(GSTREAMER)
        self.assertEqual((config.audio.sample_rate, config.audio.channels), (16000, 1))
        self.assertEqual(config.audio_specific_config, bytes.fromhex("1408"))
        self.assertEqual((config.frames, config.fixed_frame_bytes), (1, 0))

    def test_forms(self) -> None:
        """Both versions, several frames, fixed lengths, other data and CRC are read."""
        plain = latm.parse_stream_mux_config(mux_config(frames=3).to_bytes())
        self.assertEqual((plain.frames, plain.audio_specific_config.hex()), (3, "1190"))
        fixed = latm.parse_stream_mux_config(mux_config(length_type=1, crc=1).to_bytes())
        self.assertEqual(fixed.fixed_frame_bytes, 21)
        one = latm.parse_stream_mux_config(mux_config(version=1, other=300, crc=1).to_bytes())
        self.assertEqual((one.other_data_bits, one.audio.sbr), (300, False))
        self.assertEqual(one.audio_specific_config.hex(), "119056e500")
        zero = latm.parse_stream_mux_config(mux_config(other=300).to_bytes())
        self.assertEqual(zero.other_data_bits, 300)

    def test_program_config_element(self) -> None:
        """A program_config_element is aligned to where the AudioSpecificConfig begins.

        ffmpeg 5.1's for quad, at bit 15 here.
        """
        config = bytes.fromhex("12800544040021100d4c61766335392e33372e313030")
        bits = BitWriter().u(15, 0x2000).u(8 * len(config), int(config.hex(), 16))
        read = latm.parse_stream_mux_config(bits.u(3, 0).u(8, 0xFF).u(1, 1).u(9, 77).to_bytes())
        self.assertEqual((read.audio.channels, read.audio_specific_config), (4, config))
        self.assertEqual(read.other_data_bits, 77)

    def test_refused(self) -> None:
        """What no camera sends is refused by name."""
        for words, data in (
            ("audioMuxVersionA", b"\xc0"),
            ("framing", mux_config(same_framing=0).to_bytes()),
            ("2 programs", mux_config(programs=2).to_bytes()),
            ("2 layers", mux_config(layers=2).to_bytes()),
            ("frameLengthType 3", mux_config(length_type=3).to_bytes()),
            ("other data", mux_config(version=1, other=0xFFFF).to_bytes()[:4]),
            ("", b""),
        ):
            with self.assertRaisesRegex(WireError, words if words != "other data" else ""):
                latm.parse_stream_mux_config(data)


class ElementTests(SynchronousTestCase):
    def test_gstreamer(self) -> None:
        """An element without configuration: a length and the frame."""
        frame = bytes.fromhex("014484") + bytes(125)
        config = latm.parse_stream_mux_config(GSTREAMER)
        got, frames = latm.parse_audio_mux_element(b"\x80" + frame, config, config_in_band=False)
        self.assertIs(got, config)
        self.assertEqual(frames, [frame])

    def test_ffmpeg(self) -> None:
        """Ffmpeg 5.1 ``-f latm``: configuration in band, so that the frame is not aligned."""
        element = bytes.fromhex("200011901fe2c6f01002630bb319a9c97199b971894c")
        with self.assertRaises(WireError):  # cut: the frame has 88 bytes
            latm.parse_audio_mux_element(element, None, config_in_band=True)
        config, frames = latm.parse_audio_mux_element(
            element + bytes(90), None, config_in_band=True
        )
        self.assertEqual((config.audio.sample_rate, config.audio.channels), (48000, 2))
        self.assertEqual((len(frames[0]), frames[0][:6].hex()), (88, "de02004c6176"))

    def test_same_configuration(self) -> None:
        """A repeated configuration, or one bit instead of it, keeps the object."""
        first = BitWriter().u(1, 0)
        first.bits += mux_config().bits
        config, _ = latm.parse_audio_mux_element(
            first.u(8, 1).u(8, 0xAB).to_bytes(), None, config_in_band=True
        )
        again, frames = latm.parse_audio_mux_element(first.to_bytes(), config, config_in_band=True)
        self.assertIs(again, config)
        self.assertEqual(frames, [b"\xab"])
        short = BitWriter().u(1, 1).u(8, 2).u(16, 0xBEEF).to_bytes()
        again, frames = latm.parse_audio_mux_element(short, config, config_in_band=True)
        self.assertIs(again, config)
        self.assertEqual(frames, [b"\xbe\xef"])
        with self.assertRaisesRegex(WireError, "no StreamMuxConfig"):
            latm.parse_audio_mux_element(short, None, config_in_band=True)

    def test_lengths(self) -> None:
        """Lengths from 255 on take more bytes; several frames follow each other."""
        config = latm.parse_stream_mux_config(mux_config(frames=3).to_bytes())
        frames = [bytes(255), b"\1" * 600, b""]
        data = b"\xff\0" + frames[0] + b"\xff\xff\x5a" + frames[1] + b"\0"
        _, got = latm.parse_audio_mux_element(data, config, config_in_band=False)
        self.assertEqual(got, frames)

    def test_fixed_length(self) -> None:
        """Frames of a fixed length have none in front."""
        config = latm.parse_stream_mux_config(mux_config(length_type=1, frames=2).to_bytes())
        data = bytes(range(42))
        _, got = latm.parse_audio_mux_element(data, config, config_in_band=False)
        self.assertEqual(got, [data[:21], data[21:]])

    def test_too_long(self) -> None:
        """An element beyond the limit is refused unread."""
        with self.assertRaises(WireError):
            latm.parse_audio_mux_element(
                bytes(latm.MAX_ELEMENT_BYTES + 1), None, config_in_band=True
            )

    @settings(max_examples=300, deadline=None)
    @given(
        st.one_of(
            st.binary(max_size=60),
            st.binary(max_size=40).map(lambda data: bytes.fromhex("200011901fe2") + data),
            st.binary(max_size=20).map(lambda data: mux_config(version=1).to_bytes() + data),
        ),
        st.booleans(),
    )
    def test_any_bytes(self, data: bytes, config_in_band: bool) -> None:
        """Any bytes raise nothing but `WireError`, and no more comes out than went in."""
        known = latm.parse_stream_mux_config(GSTREAMER)
        try:
            _, frames = latm.parse_audio_mux_element(data, known, config_in_band=config_in_band)
        except WireError:
            return
        self.assertLessEqual(sum(map(len, frames)), len(data))
