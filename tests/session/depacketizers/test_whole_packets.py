"""G.711, G.726, L16 and Opus out of RTP."""

import random

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.media.units import AudioFormat, Codec
from axis_nvr.session.depacketizers import whole_packets
from tests.session.depacketizers.payloads import audio, datas, feed


class WholePacketTests(SynchronousTestCase):
    def test_g711(self) -> None:
        """Each packet is a frame, whatever its marker; what is lost is told by the next."""
        made = whole_packets.g711(Codec.PCMU, 8000, 1)
        frames = feed(
            made, [(b"\xff\x7f", 0, True), (b"\x01", 160, False), (b"\x02", 480, False, 1)]
        )
        self.assertEqual(datas(frames), [b"\xff\x7f", b"\x01", b"\x02"])
        self.assertEqual([frame.timestamp for frame in frames], [0, 160, 480])
        self.assertEqual([frame.lost for frame in frames], [0, 0, 1])
        self.assertTrue(all(frame.sync for frame in frames))
        self.assertEqual(frames[0].format, AudioFormat(Codec.PCMU, b"", 8000, 1, 8))

    def test_an_empty_packet_is_silence(self) -> None:
        """It is no frame, and a loss before it is told by the next frame."""
        made = whole_packets.g711(Codec.PCMA, 8000, 1)
        frames = feed(made, [(b"", 0, False, 3), (b"\x01", 160, False, 1)])
        self.assertEqual([frame.lost for frame in frames], [4])

    def test_g726_is_packed_from_the_low_end(self) -> None:
        """AAL2 packing is turned round, the other left as it is."""
        plain = whole_packets.g726(4, 8000, 1, aal2=False)
        self.assertEqual(datas(feed(plain, [(b"\x12\x34", 0, False)])), [b"\x12\x34"])
        turned = whole_packets.g726(4, 8000, 1, aal2=True)
        frames = feed(turned, [(b"\x12\x34", 0, False)])
        self.assertEqual(datas(frames), [b"\x21\x43"])
        self.assertEqual(audio(frames[0]).bits_per_sample, 4)

    def test_every_width_of_code_words(self) -> None:
        """The code words stay the same in the same order, for 2, 3, 4 and 5 bits."""
        chance = random.Random(726)
        for bits in (2, 3, 4, 5):
            words = [chance.randrange(1 << bits) for _ in range(8)]
            high = int("".join(f"{word:0{bits}b}" for word in words), 2).to_bytes(bits, "big")
            low = int("".join(f"{word:0{bits}b}" for word in reversed(words)), 2)
            turned = whole_packets.turn_code_words(high, bits)
            self.assertEqual(turned, low.to_bytes(bits, "little"))

    def test_l16(self) -> None:
        """Samples stay big endian; half a sample at the end is cut off."""
        made = whole_packets.l16(44100, 2)
        (frame,) = feed(made, [(bytes(range(11)), 0, False)])
        self.assertEqual(frame.data, bytes(range(8)))
        self.assertEqual(frame.format, AudioFormat(Codec.L16, b"", 44100, 2, 16))
        with self.assertRaises(WireError):
            made.push(memoryview(b"\x01\x02"), 0, False, 0)

    def test_opus(self) -> None:
        """A packet is a frame; the header for files is made."""
        made = whole_packets.opus(2)
        (frame,) = feed(made, [(b"\x78\x01\x02", 960, False)])
        self.assertEqual(frame.data, b"\x78\x01\x02")
        self.assertEqual((audio(frame).sample_rate, audio(frame).channels), (48000, 2))
        self.assertTrue(audio(frame).codec_private.startswith(b"OpusHead\x01\x02"))

    def test_quirk_33_opus_with_one_channel(self) -> None:
        """``opus/48000/1`` is mono (g2#1506)."""
        (frame,) = feed(whole_packets.opus(1), [(b"\x78\x01\x02", 960, False)])
        self.assertTrue(audio(frame).codec_private.startswith(b"OpusHead\x01\x01"))

    def test_what_is_no_opus_is_refused(self) -> None:
        """A packet without frames is an error; the next frame says that something is missing."""
        made = whole_packets.opus(2)
        with self.assertRaises(WireError):
            made.push(memoryview(b"\x7b\x00"), 0, False, 0)
        made.damage()
        (frame,) = feed(made, [(b"\x78\x01", 960, False)])
        self.assertTrue(frame.damaged)
        self.assertEqual(made.discarded_units, 1)
