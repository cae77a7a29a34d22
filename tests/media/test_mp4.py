"""Groups as fragments: each picture at its time, sound end to end, gaps as gaps."""

from typing import NamedTuple

from construct import Int64ub
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.mp4 import VIDEO_TIMESCALE, Mp4Writer, NotInMp4
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, Format, VideoFormat
from axis_nvr.wire.isobmff import BOX, FULL_BOX, SYNC_FLAGS, TFHD, TRUN

START_US = 1_700_000_000_000_000
VIDEO = VideoFormat(Codec.H264, b"avcC-1", 640, 360)
OTHER = VideoFormat(Codec.H264, b"avcC-2", 1280, 720)
AAC = AudioFormat(Codec.AAC, b"\x14\x08", 16_000, 1)
PCMU = AudioFormat(Codec.PCMU, b"", 8_000, 1, 8)


class Seen(NamedTuple):
    """A sample as a player sees it: times in ticks."""

    track: int
    entry: int
    decoded: int
    shown: int
    duration: int
    sync: bool
    data: bytes


def children(data: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    while data:
        parsed = BOX.parse(data)
        found.append((parsed.type, parsed.content))
        data = data[8 + len(parsed.content) :]
    return found


def see(pieces: list[bytes | bytearray]) -> list[Seen]:
    """All samples of a fragment."""
    data = b"".join(pieces)
    moof = BOX.parse(data).content
    seen = []
    for _, traf in children(moof)[1:]:
        boxes = {name: FULL_BOX.parse(content).content for name, content in children(traf)}
        header, at = TFHD.parse(boxes[b"tfhd"]), Int64ub.parse(boxes[b"tfdt"])
        table = TRUN.parse(boxes[b"trun"])
        place = table.data_offset
        for row in table.samples:
            sample = data[place : place + row.size]
            sync = row.flags == SYNC_FLAGS
            times = (at, at + row.offset, row.duration)
            seen.append(Seen(header.track_id, header.entry, *times, sync, sample))
            at, place = at + row.duration, place + row.size
    return seen


def picture(utc_us: int, *, sync: bool = False, form: Format = VIDEO) -> AccessUnit:
    return AccessUnit(0, utc_us, 0, sync, b"p%d" % utc_us, form)


def sound(utc_us: int, form: Format = AAC, data: bytes = b"sound") -> AccessUnit:
    return AccessUnit(1, utc_us, 0, True, data, form)


class Mp4WriterTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(st.permutations(range(1, 7)), st.integers(0, 10**9))
    def test_pictures_out_of_order(self, order: list[int], late_ms: int) -> None:
        """Each is shown at its time, whatever the order of decoding; none is lost or changed."""
        begin = START_US + late_ms * 1000
        units = [picture(begin, sync=True)]
        units += [picture(begin + n * 40_000) for n in order]
        writer = Mp4Writer({0: [VIDEO]}, START_US)
        seen = see(writer.fragment(units, begin + 7 * 40_000))
        self.assertEqual([s.data for s in seen], [u.data for u in units])
        self.assertEqual([s.shown for s in seen], [(u.utc_us - START_US) * 9 // 100 for u in units])
        self.assertEqual([s.sync for s in seen], [True] + [False] * 6)
        decoded = [s.decoded for s in seen]
        self.assertEqual(decoded, sorted(decoded))
        self.assertEqual(decoded[-1] + seen[-1].duration, (late_ms + 280) * 90)

    def test_sound_end_to_end(self) -> None:
        """Times rounded to a millisecond leave neither holes nor overlaps."""
        writer = Mp4Writer({0: [VIDEO], 1: [AAC]}, START_US)
        at, end = 0, None
        for group in range(5):
            units = [picture(START_US + group * 640_000, sync=True)]
            for _ in range(10):
                units.append(sound(START_US + at * 64_000 // 1000 * 1000))
                at += 1
            for sample in see(writer.fragment(units, START_US + (group + 1) * 640_000)):
                if sample.track == 2:
                    self.assertEqual((sample.duration, end in (None, sample.decoded)), (1024, True))
                    end = sample.decoded + sample.duration

    def test_a_hole_in_the_sound(self) -> None:
        """What is behind it is at its own time."""
        writer = Mp4Writer({1: [PCMU]}, START_US)
        units = [sound(START_US + t, PCMU, bytes(160)) for t in (0, 20_000, 140_000)]
        seen = see(writer.fragment(units, START_US + 160_000))
        self.assertEqual([s.decoded for s in seen], [0, 160, 1120])
        later = see(writer.fragment([sound(START_US + 500_000, PCMU, bytes(160))], START_US))
        self.assertEqual(later[0].decoded, 4000)

    def test_a_gap_in_the_pictures(self) -> None:
        """Time jumps over it and stays right."""
        writer = Mp4Writer({0: [VIDEO]}, START_US)
        for second in (0, 3600):
            begin = START_US + second * 1_000_000
            (seen,) = see(writer.fragment([picture(begin, sync=True)], begin + 40_000))
            self.assertEqual((seen.decoded, seen.duration), (second * VIDEO_TIMESCALE, 3600))

    def test_formats_that_change(self) -> None:
        """Fragments name the sample entry; one that was not told is an error."""
        writer = Mp4Writer({0: [VIDEO, OTHER, VIDEO]}, START_US)
        self.assertIn(b"avcC-2", writer.head())
        for form, entry in ((VIDEO, 1), (OTHER, 2)):
            (seen,) = see(writer.fragment([picture(START_US, form=form)], START_US))
            self.assertEqual(seen.entry, entry)
        unknown = VideoFormat(Codec.H264, b"avcC-3", 640, 360)
        self.assertRaises(NotInMp4, writer.fragment, [picture(START_US, form=unknown)], START_US)

    def test_what_has_no_place(self) -> None:
        """Sound without a place is left out and told; pictures without one are an error."""
        odd = AudioFormat(Codec.G726, b"", 8000, 1, 4)
        writer = Mp4Writer({0: [VIDEO], 1: [odd]}, START_US)
        self.assertEqual(writer.left_out, [odd])
        self.assertEqual(writer.track_ids, {0: 1})
        units = [picture(START_US, sync=True), sound(START_US, odd)]
        self.assertEqual(len(see(writer.fragment(units, START_US))), 1)
        jpeg = VideoFormat(Codec.JPEG, b"", 640, 360)
        self.assertRaises(NotInMp4, Mp4Writer, {0: [jpeg]}, START_US)
        self.assertRaises(NotInMp4, Mp4Writer, {1: [odd]}, START_US)

    def test_nothing(self) -> None:
        """A group without anything for the file makes no fragment."""
        writer = Mp4Writer({0: [VIDEO]}, START_US)
        self.assertEqual(writer.fragment([], START_US), [])
