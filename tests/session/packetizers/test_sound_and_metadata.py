"""AAC, G.711 and metadata into packets."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import LocalProtocolError
from axis_nvr.session.packetizers import aac, g711, metadata


class AacTests(SynchronousTestCase):
    def test_known_bytes(self) -> None:
        """One frame of five bytes: 16 bits of headers, size 5, index 0."""
        self.assertEqual(aac.packetize(b"hello", 1400), [b"\x00\x10\x00\x28hello"])

    def test_pieces_tell_the_size_of_the_whole(self) -> None:
        """A frame that does not fit is cut; each piece repeats the size of the frame."""
        payloads = aac.packetize(bytes(range(20)), 14)
        self.assertEqual([p[:4].hex() for p in payloads], ["001000a0", "001000a0"])
        self.assertEqual(b"".join(p[4:] for p in payloads), bytes(range(20)))

    def test_a_frame_beyond_13_bits_is_our_mistake(self) -> None:
        """What AU-size cannot tell is refused."""
        self.assertEqual(len(aac.packetize(bytes(8191), 9000)), 1)
        with self.assertRaises(LocalProtocolError):
            aac.packetize(bytes(8192), 9000)


class PlainTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=4000), st.integers(0, 1500))
    def test_pieces_join_to_the_whole(self, data: bytes, limit: int) -> None:
        """Samples and documents come out as they went in, in payloads under the limit."""
        for packetize in (g711.packetize, metadata.packetize):
            payloads = packetize(data, limit)
            self.assertEqual(b"".join(payloads), data)
            self.assertTrue(all(0 < len(p) <= max(1, limit) for p in payloads))
