"""AAC out of RTP: MP4A-LATM (RFC 6416)."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.depacketizers.latm import LatmDepacketizer
from tests.session.depacketizers.payloads import Packet, audio, datas, feed, pieces

#: AAC-LC, 16 kHz, mono, behind one program of one layer.
CONFIG_16000 = "01000000000000000010100000010000001111111100"
#: AAC-LC, 8 kHz, stereo.
CONFIG_8000 = CONFIG_16000.replace("0001010000001000", "0001010110010000")


def pack(bits: str) -> bytes:
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def element(data: bytes, config: str = CONFIG_16000) -> bytes:
    """An AudioMuxElement with its configuration."""
    size = "11111111" * (len(data) // 255) + f"{len(data) % 255:08b}"
    return pack("0" + config + size + "".join(f"{byte:08b}" for byte in data))


class LatmTests(SynchronousTestCase):
    def test_configuration_in_band(self) -> None:
        """Each element brings its configuration."""
        frames = feed(LatmDepacketizer(16000, 1, {}), [(element(b"abc"), 0, True)])
        self.assertEqual(datas(frames), [b"abc"])
        self.assertEqual((audio(frames[0]).sample_rate, audio(frames[0]).channels), (16000, 1))
        self.assertEqual(audio(frames[0]).codec_private[:2], b"\x14\x08")

    def test_configuration_in_the_sdp(self) -> None:
        """With ``cpresent=0`` elements are lengths and frames."""
        fmtp = {"cpresent": "0", "config": pack(CONFIG_16000).hex()}
        frames = feed(LatmDepacketizer(16000, 1, fmtp), [(b"\x03abc", 0, True)])
        self.assertEqual(datas(frames), [b"abc"])

    def test_quirk_33_rate_changes(self) -> None:
        """Another configuration in band makes another format, the same one does not."""
        packets: list[Packet] = [
            (element(b"abc"), 0, True),
            (element(b"def"), 1024, True),
            (element(b"ghi", CONFIG_8000), 2048, True),
        ]
        frames = feed(LatmDepacketizer(16000, 1, {}), packets)
        self.assertIs(frames[0].format, frames[1].format)
        self.assertEqual([audio(f).sample_rate for f in frames], [16000, 16000, 8000])

    def test_fragmented_element(self) -> None:
        """Parts up to the marker are one element, cut anywhere; a missing mark is no matter."""
        whole = element(bytes(range(256)) * 2)
        for size in range(1, 300, 7):
            for mark in (True, False):
                parts = pieces(whole, size)
                packets: list[Packet] = [
                    (part, 5, mark and index == len(parts) - 1) for index, part in enumerate(parts)
                ]
                frames = feed(LatmDepacketizer(16000, 1, {}), packets)
                self.assertEqual(datas(frames), [bytes(range(256)) * 2])

    def test_loss_within_an_element(self) -> None:
        """The element is thrown away and the next frame tells."""
        parts = pieces(element(bytes(100)), 30)
        for missing in range(len(parts)):
            packets: list[Packet] = [
                (part, 5, index == len(parts) - 1, int(index == missing + 1))
                for index, part in enumerate(parts)
                if index != missing
            ]
            made = LatmDepacketizer(16000, 1, {})
            last: Packet = (element(b"abc"), 6, True, int(missing == len(parts) - 1))
            frames = feed(made, [*packets, last])
            self.assertEqual(datas(frames), [b"abc"])
            self.assertEqual((frames[0].lost, frames[0].damaged), (1, True))
            self.assertEqual(made.discarded_units, 1)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.binary(max_size=30), st.booleans()), max_size=6), st.booleans())
    def test_any_bytes(self, packets: list[tuple[bytes, bool]], in_band: bool) -> None:
        """Whatever comes, nothing is raised."""
        fmtp = {} if in_band else {"cpresent": "0", "config": pack(CONFIG_16000).hex()}
        made = LatmDepacketizer(16000, 1, fmtp)
        for index, (payload, marker) in enumerate(packets):
            made.push(memoryview(payload), index // 2, marker, 0)
        made.flush()
