"""AAC out of RTP: MPEG4-GENERIC (RFC 3640)."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.session.depacketizers.aac import MAX_FRAME_BYTES, AacDepacketizer, AuHeaderLayout
from tests.session.depacketizers.payloads import Packet, audio, datas, feed, pieces

#: As Axis sends it.
HBR = {
    "streamtype": "5",
    "profile-level-id": "2",
    "mode": "AAC-hbr",
    "config": "1408",
    "sizelength": "13",
    "indexlength": "3",
    "indexdeltalength": "3",
}
#: ADTS, AAC-LC, 8 kHz, stereo, no CRC, for a frame of three bytes.
ADTS_8000_STEREO = bytes.fromhex("fff16c80015ffc")


def hbr(*frames: bytes, sizes: tuple[int, ...] = ()) -> bytes:
    """Pack frames as AAC-hbr; `sizes` tells other sizes than they have."""
    told = sizes or tuple(map(len, frames))
    headers = b"".join((size << 3).to_bytes(2, "big") for size in told)
    return (8 * len(headers)).to_bytes(2, "big") + headers + b"".join(frames)


def depacketizer(**fmtp: str) -> AacDepacketizer:
    return AacDepacketizer(16000, 1, {**HBR, **fmtp})


class PayloadTests(SynchronousTestCase):
    def test_one_frame(self) -> None:
        """A packet with one frame, as cameras send it."""
        (frame,) = feed(depacketizer(), [(hbr(b"abc"), 1024, True)])
        self.assertEqual((frame.data, frame.timestamp, frame.sync), (b"abc", 1024, True))
        self.assertEqual(audio(frame).codec_private, b"\x14\x08")
        self.assertEqual((audio(frame).sample_rate, audio(frame).channels), (16000, 1))

    def test_several_frames(self) -> None:
        """Frames in one packet follow each other by 1024 samples."""
        frames = feed(depacketizer(), [(hbr(b"abc", b"defg", b"", b"h"), 5000, True)])
        self.assertEqual(datas(frames), [b"abc", b"defg", b"h"])
        self.assertEqual([frame.timestamp for frame in frames], [5000, 6024, 7048])

    def test_other_clock_rates(self) -> None:
        """Frames are spaced in ticks of the RTP clock, not in samples."""
        made = AacDepacketizer(90000, 1, HBR)
        frames = feed(made, [(hbr(b"abc", b"def"), 0, True)])
        self.assertEqual([frame.timestamp for frame in frames], [0, 5760])

    def test_fragmented_frame(self) -> None:
        """A frame over several packets is put together, cut anywhere."""
        whole = bytes(range(200))
        for size in range(1, 200):
            packets: list[Packet] = [
                (hbr(part, sizes=(200,)), 3, False) for part in pieces(whole, size)
            ]
            (frame,) = feed(depacketizer(), packets)
            self.assertEqual(frame.data, whole)

    def test_loss_within_a_fragmented_frame(self) -> None:
        """The frame is thrown away, whichever part is missing, and the next one tells."""
        parts = [hbr(part, sizes=(40,)) for part in pieces(bytes(40), 10)]
        for missing in range(4):
            made = depacketizer()
            packets: list[Packet] = [
                (part, 3, index == 3, int(index == missing + 1))
                for index, part in enumerate(parts)
                if index != missing
            ]
            frames = feed(made, [*packets, (hbr(b"abc"), 4, True, int(missing == 3))])
            self.assertEqual(datas(frames), [b"abc"])
            self.assertEqual((frames[0].lost, frames[0].damaged), (1, True))

    def test_lbr(self) -> None:
        """The low bit rate mode has narrower fields."""
        made = AacDepacketizer(16000, 1, {"mode": "AAC-lbr", "config": "1408"})
        frames = feed(made, [(b"\x00\x10" + bytes((3 << 2, 2 << 2)) + b"abcde", 0, True)])
        self.assertEqual(datas(frames), [b"abc", b"de"])

    def test_all_header_fields(self) -> None:
        """Optional fields are passed over, whatever their width."""
        layout = AuHeaderLayout.from_fmtp(
            {
                "mode": "generic",
                "sizelength": "10",
                "indexlength": "2",
                "indexdeltalength": "4",
                "ctsdeltalength": "7",
                "dtsdeltalength": "5",
                "randomaccessindication": "1",
                "streamstateindication": "3",
            }
        )
        fields = ["0000000101", "00", "1", "1010101", "0", "1", "101"]
        fields += ["0000000011", "0000", "0", "1", "11111", "0", "010"]
        text = "".join(fields)
        packed = int(text.ljust(56, "0"), 2).to_bytes(7, "big")
        self.assertEqual(layout.read_sizes(packed, len(text)), [5, 3])

    def test_auxiliary_section(self) -> None:
        """Auxiliary data is passed over."""
        made = depacketizer(auxiliarydatasizelength="8")
        (frame,) = feed(made, [(hbr(b"\x10zz" + b"abc", sizes=(3,)), 0, True)])
        self.assertEqual(frame.data, b"abc")

    def test_constant_size(self) -> None:
        """Frames of one size need no size in their headers."""
        widths = {"indexlength": "4", "indexdeltalength": "4"}
        made = AacDepacketizer(16000, 1, {"mode": "x", "constantsize": "2", **widths})
        frames = feed(made, [(b"\0\x08\0" + b"abcd", 0, True)])
        self.assertEqual(datas(frames), [b"ab", b"cd"])

    def test_defects(self) -> None:
        """Sizes that do not fit are errors; the next frame says that something is missing."""
        for payload in (
            b"",
            b"\0",
            b"\0\x10\0",
            b"\0\x0f\0\x18abc",
            b"\0\x20" + (8 << 3).to_bytes(2, "big") * 2 + b"abc",
            b"\0\x10" + b"\xff\xff" + b"a" if MAX_FRAME_BYTES < 8191 else b"\0",
        ):
            made = depacketizer()
            with self.assertRaises(WireError):
                made.push(memoryview(payload), 0, True, 0)
            made.damage()
            (frame,) = feed(made, [(hbr(b"abc"), 4, True)])
            self.assertTrue(frame.damaged)


class QuirkTests(SynchronousTestCase):
    def test_quirk_33_adts_within_frames(self) -> None:
        """An ADTS header in front of a frame is taken off (g2#1328)."""
        adts = bytes.fromhex("fff16040015ffc") + b"abc"
        made = depacketizer()
        before = made.format
        (frame,) = feed(made, [(hbr(adts), 0, True)])
        self.assertEqual(frame.data, b"abc")
        self.assertIs(frame.format, before)

    def test_quirk_33_adts_without_headers(self) -> None:
        """ADTS frames without any AU headers are taken apart."""
        adts = bytes.fromhex("fff16040015ffc") + b"abc"
        frames = feed(depacketizer(), [(adts + adts, 0, True)])
        self.assertEqual(datas(frames), [b"abc", b"abc"])
        self.assertEqual([frame.timestamp for frame in frames], [0, 1024])

    def test_quirk_33_rate_changes(self) -> None:
        """An ADTS header with another rate makes another format (UniFi)."""
        frames = feed(
            depacketizer(), [(hbr(b"abc"), 0, True), (hbr(ADTS_8000_STEREO + b"abc"), 1024, True)]
        )
        self.assertEqual(
            [(audio(f).sample_rate, audio(f).channels) for f in frames], [(16000, 1), (8000, 2)]
        )

    def test_quirk_33_odd_sizelength(self) -> None:
        """Any width of AU-size is read; without one the mode tells."""
        for width in (8, 11, 16, 29):
            made = depacketizer(sizelength=str(width), indexlength="3")
            padding = -(width + 3) % 8
            header = (3 << 3 + padding).to_bytes((width + 3 + padding) // 8, "big")
            payload = (width + 3).to_bytes(2, "big") + header + b"abc"
            self.assertEqual(datas(feed(made, [(payload, 0, True)])), [b"abc"])
        for text in ("", "x", "99999999999", "33"):
            made = depacketizer(sizelength=text)
            self.assertEqual(datas(feed(made, [(hbr(b"abc"), 0, True)])), [b"abc"])

    def test_missing_config(self) -> None:
        """Without a readable configuration, rate and channels of the rtpmap make one."""
        for config in ("", "zz", "14", "00"):
            made = AacDepacketizer(16000, 2, {**HBR, "config": config})
            self.assertEqual((made.format.sample_rate, made.format.channels), (16000, 2))
        self.assertEqual(AacDepacketizer(999_999, 20, {}).format.sample_rate, 48000)


class FuzzTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.one_of(
                    st.binary(max_size=20),
                    st.builds(hbr, st.binary(max_size=9), st.binary(max_size=9)),
                    st.builds(lambda part: hbr(part, sizes=(15,)), st.binary(max_size=15)),
                ),
                st.integers(0, 2),
                st.sampled_from([0, 0, 1]),
            ),
            max_size=10,
        ),
        st.dictionaries(
            st.sampled_from([*HBR, "constantsize", "auxiliarydatasizelength"]),
            st.sampled_from(["0", "1", "8", "13", "32", "-1", "x"]),
        ),
    )
    def test_any_bytes(self, packets: list[tuple[bytes, int, int]], fmtp: dict[str, str]) -> None:
        """Whatever comes, there is no error but `WireError`, and frames have their limit."""
        made = AacDepacketizer(16000, 1, fmtp)
        for payload, timestamp, lost in packets:
            try:
                for frame in made.push(memoryview(payload), timestamp, True, lost):
                    self.assertLessEqual(len(frame.data), MAX_FRAME_BYTES)
            except WireError:
                made.damage()
        made.flush()
