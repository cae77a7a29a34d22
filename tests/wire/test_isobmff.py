"""Fragmented MP4: built as described, and read back by others (tests.integration)."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.wire.isobmff import (
    BOX,
    FULL_BOX,
    OTHER_FLAGS,
    SYNC_FLAGS,
    TFHD,
    TRUN,
    TRUN_FLAGS,
    Run,
    Sample,
    SampleTrack,
    aac_entry,
    avc_entry,
    box,
    build_fragment,
    build_head,
    full_box,
    read_header,
)

SAMPLES = st.builds(
    Sample,
    st.integers(0, 1 << 31),
    st.integers(0, 1 << 20),
    st.booleans(),
    st.integers(-(1 << 31), (1 << 31) - 1),
)
RUNS = st.lists(
    st.builds(Run, st.integers(1, 9), st.integers(0, 1 << 60), st.lists(SAMPLES, max_size=5)),
    min_size=1,
    max_size=3,
)


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Names and contents of boxes side by side."""
    found = []
    while data:
        parsed = BOX.parse(data)
        found.append((parsed.type, parsed.content))
        data = data[8 + len(parsed.content) :]
    return found


class FragmentTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(st.integers(1, 1 << 31), RUNS)
    def test_as_described(self, number: int, runs: list[Run]) -> None:
        """Every field is where the descriptions have it, and each run's data where it says."""
        data = build_fragment(number, runs)
        mdat_size = sum(sample.size_bytes for run in runs for sample in run.samples)
        moof = BOX.parse(data)
        self.assertEqual(moof.type, b"moof")
        moof_size = 8 + len(moof.content)
        self.assertEqual(data[moof_size:], (mdat_size + 8).to_bytes(4, "big") + b"mdat")
        (mfhd, *trafs) = boxes(moof.content)
        self.assertEqual(FULL_BOX.parse(mfhd[1]).content, number.to_bytes(4, "big"))
        place = moof_size + 8
        for run, (name, content) in zip(runs, trafs, strict=True):
            self.assertEqual(name, b"traf")
            parts: dict[bytes, Any] = {n: FULL_BOX.parse(c) for n, c in boxes(content)}
            self.assertEqual(list(parts), [b"tfhd", b"tfdt", b"trun"])
            tfhd = TFHD.parse(parts[b"tfhd"].content)
            self.assertEqual((tfhd.track_id, tfhd.entry), (run.track_id, run.entry))
            self.assertEqual(parts[b"tfdt"].version, 1)
            self.assertEqual(parts[b"tfdt"].content, run.decode_time.to_bytes(8, "big"))
            trun = parts[b"trun"]
            self.assertEqual((trun.version, trun.flags), (1, TRUN_FLAGS))
            table = TRUN.parse(trun.content)
            self.assertEqual(table.data_offset, place)
            self.assertEqual(
                [(s.duration, s.size, s.flags == SYNC_FLAGS, s.offset) for s in table.samples],
                [tuple(sample) for sample in run.samples],
            )
            self.assertTrue(all(s.flags in (SYNC_FLAGS, OTHER_FLAGS) for s in table.samples))
            place += sum(sample.size_bytes for sample in run.samples)

    def test_over_4_gib(self) -> None:
        """The size of such samples has 64 bits."""
        data = build_fragment(1, [Run(1, 0, [Sample(1, (1 << 32) - 9, True), Sample(1, 9, True)])])
        self.assertEqual(data[-16:], b"\0\0\0\1mdat" + ((1 << 32) + 16).to_bytes(8, "big"))


class HeadTests(SynchronousTestCase):
    def test_two_tracks(self) -> None:
        """Each track has its sample entries and its defaults."""
        video = SampleTrack(
            1, "Video", 90_000, True, (avc_entry(640, 360, b"avcC!"),) * 2, 640, 360
        )
        audio = SampleTrack(2, "Audio", 16_000, False, (aac_entry(1, 16_000, b"\x14\x08"),))
        head = build_head([video, audio])
        self.assertEqual([name for name, _ in boxes(head)], [b"ftyp", b"moov"])
        names = [name for name, _ in boxes(boxes(head)[1][1])]
        self.assertEqual(names, [b"mvhd", b"trak", b"trak", b"mvex"])
        self.assertEqual(head.count(b"avcCavcC!"), 2)
        self.assertIn(b"esds", head)


class HeaderTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """32 bits, 64 bits, to the end; what does not fit is none."""
        data = full_box(b"free", b"xyz", version=1, flags=2)
        place = read_header(data, 100, 200)
        self.assertEqual(place, (b"free", 100, 108, 115))
        self.assertIsNone(read_header(data, 100, 114))
        large = b"\0\0\0\1mdat" + (20).to_bytes(8, "big")
        self.assertEqual(read_header(large, 0, 20), (b"mdat", 0, 16, 20))
        self.assertEqual(read_header(b"\0\0\0\0mdat", 5, 50), (b"mdat", 5, 13, 50))
        for bad in (b"", b"\0\0\0\7free", b"\0\0\0\1mdat", box(b"free")[:7]):
            self.assertIsNone(read_header(bad, 0, 100))
