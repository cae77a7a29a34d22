"""H.264 parameter sets: of real encoders, of cameras, of random descriptions, and broken ones."""

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import h264
from axis_nvr.wire.avcc import AVCC, MAX_AVCC_SPS, build_avcc, parse_avcc
from axis_nvr.wire.nal import escape, nal_units_from_sprop
from axis_nvr.wire.picture import MAX_PICTURE_SIDE
from tests.wire.bit_writer import BitWriter

DATA = json.loads((Path(__file__).parents[1] / "data" / "h264_parameter_sets.json").read_text())
STREAMS: dict[str, Any] = {stream["name"]: stream for stream in DATA["streams"]}
#: What the names of pixel formats mean: chroma_format_idc and bit depth.
PIXEL_FORMATS = {
    "yuv420p": (1, 8),
    "yuvj420p": (1, 8),
    "yuv420p10le": (1, 10),
    "yuv422p10le": (2, 10),
    "yuv444p": (3, 8),
}


def sets_of(name: str) -> tuple[bytes, bytes]:
    sps, pps = (bytes.fromhex(one) for one in STREAMS[name]["sets"])
    return sps, pps


class EncoderTests(SynchronousTestCase):
    """libx264 in many settings, against what ffprobe reads."""

    def test_size_level_rate_and_order(self) -> None:
        """Size with cropping, level, frame rate and reordering are ffprobe's."""
        for name, stream in STREAMS.items():
            sps, expected = h264.parse_sps(sets_of(name)[0]), stream["ffprobe"]
            self.assertEqual((sps.width, sps.height), (expected["width"], expected["height"]), name)
            self.assertEqual(sps.level_idc, expected["level"], name)
            self.assertEqual(sps.frame_rate, Fraction(expected["r_frame_rate"]), name)
            self.assertEqual(sps.max_num_reorder_frames, expected["has_b_frames"], name)

    def test_chroma_and_depth(self) -> None:
        """Chroma format and bit depth are ffprobe's; monochrome it shows as 4:2:0."""
        for name, stream in STREAMS.items():
            sps = h264.parse_sps(sets_of(name)[0])
            chroma, depth = PIXEL_FORMATS[stream["ffprobe"]["pix_fmt"]]
            self.assertEqual(sps.chroma_format_idc, 0 if "mono" in name else chroma, name)
            self.assertEqual((sps.bit_depth_luma, sps.bit_depth_chroma), (depth, depth), name)

    def test_pps(self) -> None:
        """Entropy coding, 8x8 transform and scaling lists are those of the settings."""
        for name in STREAMS:
            sps, pps = sets_of(name)
            read = h264.parse_pps(pps, h264.parse_sps(sps).chroma_format_idc)
            self.assertEqual((read.pps_id, read.sps_id, read.slice_group_count), (0, 0, 1), name)
            self.assertEqual(read.scaling_matrix, "jvt" in STREAMS[name]["made"], name)
            self.assertEqual(
                read.cabac,
                "baseline" not in name and "ultrafast" not in STREAMS[name]["made"],
                name,
            )

    def test_interlaced(self) -> None:
        """Fields make a frame of twice the map units; cropping counts in twice the lines."""
        sps = h264.parse_sps(sets_of("interlaced_720x572")[0])
        self.assertTrue(sps.interlaced)
        self.assertEqual((sps.coded_height, sps.crop), (576, (0, 0, 0, 4)))

    def test_vui(self) -> None:
        """Sample aspect ratio and range behind overscan, colours and chroma location."""
        vui = h264.parse_sps(sets_of("vui_all_640x480")[0]).vui
        assert vui is not None
        self.assertEqual(vui.display.sample_aspect_ratio, (255, 21, 20))
        self.assertTrue(vui.display.full_range)
        self.assertFalse(vui.fixed_frame_rate)

    def test_record(self) -> None:
        """The avcC is the one ffmpeg writes, byte for byte.

        mkvmerge's differs in the high profiles: it leaves out chroma format and bit depths.
        """
        for name, stream in STREAMS.items():
            sps, pps = sets_of(name)
            self.assertEqual(build_avcc([sps], [pps]).hex(), stream["record"], name)


class CameraTests(SynchronousTestCase):
    """Sets that cameras have sent, as their owners reported them."""

    def test_reolink_trailing_byte(self) -> None:
        """Reolink doorbell: in band a VUI and a byte behind the end, in the SDP neither."""
        in_band = h264.parse_sps(bytes.fromhex("67640033ac1514a0a03da1000004f6000063380404"))
        in_sdp = h264.parse_sps(bytes.fromhex("67640033ac1514a0a03d90"))
        self.assertEqual((in_band.width, in_band.height), (640, 480))
        self.assertEqual((in_sdp.width, in_sdp.height), (640, 480))
        self.assertEqual((in_band.frame_rate, in_sdp.frame_rate), (Fraction(10), None))

    def test_cp3pro(self) -> None:
        """CP3PRO: start codes within its sprop; 640x360."""
        sps, pps = nal_units_from_sprop("AAAAAWdNABaNjUBQF/yzcBAQFAAALuAABX5AEA==,AAAAAWjuOIA=")
        read = h264.parse_sps(sps)
        self.assertEqual((read.width, read.height, read.frame_rate), (640, 360, Fraction(15)))
        self.assertTrue(h264.parse_pps(pps).cabac)

    def test_v380(self) -> None:
        """V380: HRD parameters in the VUI; 1280x720."""
        sps = h264.parse_sps(
            bytes.fromhex(
                "274d001fe7402802dd80a5050505f00000030010000003028b010002dc68000225517fff0280"
            )
        )
        self.assertEqual((sps.width, sps.height, sps.frame_rate), (1280, 720, Fraction(20)))

    def test_wyze(self) -> None:
        """Wyze: HRD parameters that other readers failed at; 1920x1080."""
        sps, _ = nal_units_from_sprop("J00AKedAPAET8s1AQEB8AAADAAQAAAMAoNGADqYAFfl//wKA,KO48gA==")
        read = h264.parse_sps(sps)
        self.assertEqual((read.width, read.height, read.frame_rate), (1920, 1080, Fraction(20)))


@dataclass
class Description:
    """What `write_sps` writes; the names are the specification's."""

    profile_idc: int
    constraint_flags: int
    level_idc: int
    sps_id: int
    chroma_format_idc: int
    separate_planes: bool
    depths: tuple[int, int]
    scaling_lists: dict[int, list[int]] | None
    poc: tuple[int, list[int]]
    size: tuple[int, int]
    frame_mbs_only: bool
    crop: tuple[int, int, int, int] | None
    timing: tuple[int, int] | None
    hrd: tuple[list[int], list[int]]
    reorder: int | None
    tail: bytes


def write_sps(d: Description) -> bytes:
    """Write a sequence parameter set, in the order of H.264 §7.3.2.1.1."""
    bits = BitWriter().u(8, 0x67).u(8, d.profile_idc).u(8, d.constraint_flags).u(8, d.level_idc)
    bits.ue(d.sps_id)
    if d.profile_idc in h264.CHROMA_PROFILES:
        bits.ue(d.chroma_format_idc)
        if d.chroma_format_idc == 3:
            bits.u(1, d.separate_planes)
        bits.ue(d.depths[0] - 8).ue(d.depths[1] - 8).u(1, 0)
        bits.u(1, d.scaling_lists is not None)
        if d.scaling_lists is not None:
            write_scaling_lists(bits, d.scaling_lists, 12 if d.chroma_format_idc == 3 else 8)
    bits.ue(4).ue(d.poc[0])
    if d.poc[0] == 0:
        bits.ue(6)
    elif d.poc[0] == 1:
        bits.u(1, 1).se(-3).se(4).ue(len(d.poc[1]))
        for offset in d.poc[1]:
            bits.se(offset)
    bits.ue(4).u(1, 0).ue(d.size[0] - 1).ue(d.size[1] - 1).u(1, d.frame_mbs_only)
    if not d.frame_mbs_only:
        bits.u(1, 1)
    bits.u(1, 1).u(1, d.crop is not None)
    for offset in d.crop or ():
        bits.ue(offset)
    write_vui(bits, d)
    return escape(bits.rbsp()) + d.tail


def write_scaling_lists(bits: BitWriter, lists: dict[int, list[int]], count: int) -> None:
    """Write lists of deltas; one that is cut short ends in the delta that makes the scale 0."""
    for index in range(count):
        bits.u(1, index in lists)
        if index not in lists:
            continue
        last, size = 8, 16 if index < 6 else 64
        for scale in lists[index][:size]:
            bits.se((scale - last + 128) % 256 - 128)
            last = scale
        if len(lists[index]) < size:
            bits.se((-last + 128) % 256 - 128)


def write_vui(bits: BitWriter, d: Description) -> None:
    bits.u(1, 1).u(1, 1).u(8, 255).u(16, 4).u(16, 3).u(1, 1).u(1, 0)
    bits.u(1, 1).u(3, 5).u(1, 1).u(1, 1).u(24, 0x010203).u(1, 1).ue(1).ue(2)
    bits.u(1, d.timing is not None)
    if d.timing is not None:
        bits.u(32, d.timing[0]).u(32, d.timing[1]).u(1, 1)
    for buffers in d.hrd:
        bits.u(1, bool(buffers))
        if buffers:
            bits.ue(len(buffers) - 1).u(8, 0x12)
            for value in buffers:
                bits.ue(value).ue(value // 2).u(1, 1)
            bits.u(20, 0xABCDE)
    if any(d.hrd):
        bits.u(1, 0)
    bits.u(1, 1).u(1, d.reorder is not None)
    if d.reorder is not None:
        bits.u(1, 1).ue(2).ue(1).ue(16).ue(16).ue(d.reorder).ue(16)


scales = st.lists(st.integers(1, 255), max_size=64)
descriptions = st.builds(
    Description,
    profile_idc=st.sampled_from([66, 77, 88, *sorted(h264.CHROMA_PROFILES)]),
    constraint_flags=st.integers(0, 255),
    level_idc=st.integers(0, 255),
    sps_id=st.integers(0, 31),
    chroma_format_idc=st.integers(0, 3),
    separate_planes=st.booleans(),
    depths=st.tuples(st.integers(8, 14), st.integers(8, 14)),
    scaling_lists=st.none() | st.dictionaries(st.integers(0, 11), scales, max_size=4),
    poc=st.tuples(
        st.integers(0, 2),
        st.lists(st.integers(-1000, 1000), max_size=3) | st.just([1] * h264.MAX_POC_CYCLE),
    ),
    size=st.tuples(st.integers(2, 1024), st.integers(2, 512)),
    frame_mbs_only=st.booleans(),
    crop=st.none() | st.tuples(*[st.integers(0, 5)] * 4),
    timing=st.none() | st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1)),
    hrd=st.tuples(*[st.lists(st.integers(0, 2**20), max_size=3) | st.just([7] * 32)] * 2),
    reorder=st.none() | st.integers(0, 16),
    tail=st.sampled_from([b"", b"\0", b"\0\0\3", b"\x04"]),
)


class RandomTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(descriptions)
    def test_reads_what_was_written(self, d: Description) -> None:
        """Any set of any description reads as what it was made of."""
        sps = h264.parse_sps(write_sps(d))
        self.assertEqual(
            (sps.profile_idc, sps.constraint_flags, sps.level_idc, sps.sps_id),
            (d.profile_idc, d.constraint_flags, d.level_idc, d.sps_id),
        )
        high = d.profile_idc in h264.CHROMA_PROFILES
        chroma = d.chroma_format_idc if high else 1
        self.assertEqual(sps.chroma_format_idc, chroma)
        depths = d.depths if high else (8, 8)
        self.assertEqual((sps.bit_depth_luma, sps.bit_depth_chroma), depths)
        fields = 1 if d.frame_mbs_only else 2
        self.assertEqual(
            (sps.coded_width, sps.coded_height), (16 * d.size[0], 16 * d.size[1] * fields)
        )
        unit_x = 2 if chroma in (1, 2) else 1
        unit_y = fields * (2 if chroma == 1 else 1)
        left, right, top, bottom = d.crop or (0, 0, 0, 0)
        self.assertEqual(sps.width, 16 * d.size[0] - unit_x * (left + right))
        self.assertEqual(sps.height, 16 * d.size[1] * fields - unit_y * (top + bottom))
        assert sps.vui is not None
        self.assertEqual(sps.vui.max_num_reorder_frames, d.reorder)
        units, scale = d.timing or (0, 0)
        self.assertEqual((sps.vui.num_units_in_tick, sps.vui.time_scale), (units, scale))

    @settings(max_examples=60, deadline=None)
    @given(descriptions)
    def test_record(self, d: Description) -> None:
        """Any set makes a record that gives it back."""
        sps, pps = write_sps(d), b"\x68\xee\x3c\x80"
        record = parse_avcc(build_avcc([sps], [pps]))
        self.assertEqual((record.sps, record.pps, record.length_size), ((sps,), (pps,), 4))
        self.assertEqual((record.profile_idc, record.level_idc), (d.profile_idc, d.level_idc))

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(sorted(STREAMS)), st.data())
    def test_damaged(self, name: str, data: st.DataObject) -> None:
        """Real sets with flipped bits, cut or continued: a size within bounds or a `WireError`."""
        sps, pps = sets_of(name)
        for parse, whole in ((h264.parse_sps, sps), (h264.parse_pps, pps)):
            damaged = bytearray(whole)
            for place in data.draw(st.lists(st.integers(8, 8 * len(whole) - 1), max_size=3)):
                damaged[place // 8] ^= 1 << place % 8
            cut = data.draw(st.integers(0, len(whole) + 20))
            try:
                read = parse(bytes(damaged)[:cut] + bytes(max(cut - len(whole), 0)))
            except WireError as error:
                self.assertIn("H.264 §7.3.2", error.source)
                continue
            if isinstance(read, h264.H264Sps):
                self.assertTrue(0 < read.width <= MAX_PICTURE_SIDE)
                self.assertTrue(0 < read.height <= MAX_PICTURE_SIDE)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=50))
    @example(b"\xff" * 50)
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes behind the header raise nothing but `WireError`."""
        for parse, header in ((h264.parse_sps, b"\x67\x64"), (h264.parse_pps, b"\x68")):
            try:
                parse(header + data)
            except WireError:
                continue


class TolerantTests(SynchronousTestCase):
    def plain(self, **changes: Any) -> Description:
        values: dict[str, Any] = {
            "profile_idc": 77, "constraint_flags": 0, "level_idc": 40, "sps_id": 0,
            "chroma_format_idc": 1, "separate_planes": False, "depths": (8, 8),
            "scaling_lists": None, "poc": (0, []), "size": (40, 30), "frame_mbs_only": True,
            "crop": None, "timing": (1, 50), "hrd": ([], []), "reorder": None, "tail": b"",
        }  # fmt: skip
        return Description(**values | changes)

    def test_cut_vui(self) -> None:
        """A set that ends within its VUI tells the size, and no rate."""
        whole = write_sps(self.plain())
        self.assertEqual(h264.parse_sps(whole).frame_rate, Fraction(25))
        cut = h264.parse_sps(whole[:16])
        self.assertEqual((cut.width, cut.height, cut.vui), (640, 480, None))

    def test_crop_that_leaves_nothing(self) -> None:
        """Cropping of the whole picture is not applied."""
        sps = h264.parse_sps(write_sps(self.plain(crop=(160, 160, 0, 0))))
        self.assertEqual((sps.width, sps.height), (640, 480))

    def test_rates_beyond_belief(self) -> None:
        """No timing, or 90000 frames a second, is no frame rate."""
        for timing in ((1, 180_000), (0, 50), (1, 0)):
            self.assertIsNone(h264.parse_sps(write_sps(self.plain(timing=timing))).frame_rate)

    def test_reordering_inferred(self) -> None:
        """Without a VUI's word: none in baseline, intra profiles and order type 2, else unknown."""
        for changes, expected in (
            ({}, None),
            ({"profile_idc": 66}, 0),
            ({"poc": (2, [])}, 0),
            ({"profile_idc": 100, "constraint_flags": 0x10}, 0),
            ({"reorder": 3}, 3),
        ):
            sps = h264.parse_sps(write_sps(self.plain(**changes)))
            self.assertEqual(sps.max_num_reorder_frames, expected)

    def test_scaling_lists(self) -> None:
        """Lists in the PPS, whole and cut short, are passed (Reolink); 4:4:4 has twelve."""
        for chroma, lists in ((1, 8), (3, 12)):
            bits = BitWriter().u(8, 0x68).ue(3).ue(1).u(1, 1).u(1, 0).ue(0).ue(2).ue(0)
            bits.u(3, 0).se(-9).se(0).se(-2).u(3, 4).u(1, 1).u(1, 1)
            write_scaling_lists(
                bits, {0: [7] * 16, 5: [9], 6: [16] * 64, lists - 1: [33, 5]}, lists
            )
            pps = h264.parse_pps(bits.se(1).rbsp(), chroma)
            self.assertEqual((pps.pps_id, pps.sps_id), (3, 1))
            self.assertTrue(pps.scaling_matrix)

    def test_slice_groups(self) -> None:
        """Every kind of slice group map is passed."""
        for map_type in range(7):
            bits = BitWriter().u(8, 0x68).ue(0).ue(0).u(2, 0).ue(2).ue(map_type)
            if map_type == 0:
                bits.ue(1).ue(2).ue(3)
            elif map_type == 2:
                bits.ue(1).ue(2).ue(3).ue(4)
            elif map_type in (3, 4, 5):
                bits.u(1, 1).ue(9)
            elif map_type == 6:
                bits.ue(9).u(20, 0x55555)
            bits.ue(0).ue(0).u(3, 0).se(0).se(0).se(0).u(3, 0)
            self.assertEqual(h264.parse_pps(bits.rbsp()).slice_group_count, 3)

    def test_bytes_behind_a_pps(self) -> None:
        """Bytes behind a PPS that make no extension are no error."""
        pps = h264.parse_pps(bytes.fromhex("68ee3c80 7f"))
        self.assertFalse(pps.scaling_matrix)

    def test_refused(self) -> None:
        """Other NAL units, cut sets and sizes beyond the limit name their section."""
        sps, pps = sets_of("high_638x478")
        for parse, data in (
            (h264.parse_sps, b""),
            (h264.parse_sps, pps),
            (h264.parse_sps, sps[:8]),
            (h264.parse_sps, b"\x67" * 70_000),
            (h264.parse_sps, write_sps(self.plain(size=(1025, 10)))),
            (h264.parse_sps, write_sps(self.plain(size=(10, 600), frame_mbs_only=False))),
            (h264.parse_sps, write_sps(self.plain(poc=(1, [0] * 256)))),
            (h264.parse_pps, sps),
            (h264.parse_pps, pps[:2]),
        ):
            with self.assertRaisesRegex(WireError, "H.264 §7.3.2"):
                parse(data)


class RecordTests(SynchronousTestCase):
    def test_several_sets(self) -> None:
        """Constraints are those in common, the level is the highest."""
        first = bytes.fromhex("67640033ac1514a0a03d90")
        second = first[:2] + b"\xc0\x10" + first[4:]
        record = parse_avcc(build_avcc([first, second], [b"\x68\xee\x3c\x80"] * 2))
        self.assertEqual((record.constraint_flags, record.level_idc), (0, 0x33))
        self.assertEqual((len(record.sps), len(record.pps)), (2, 2))

    def test_refused(self) -> None:
        """No sets, too many, and records cut anywhere."""
        sps, pps = sets_of("main_1920x1080_bframes")
        for many, few in (([], [pps]), ([sps], []), ([sps] * (MAX_AVCC_SPS + 1), [pps])):
            with self.assertRaises(WireError):
                build_avcc(many, few)
        with self.assertRaises(WireError):
            build_avcc([sps], [bytes(70_000)])
        record = build_avcc([sps], [pps])
        for end in range(len(record)):
            with self.assertRaises(WireError):
                parse_avcc(record[:end])

    def test_reserved_bits(self) -> None:
        """Records without the reserved ones, or without the high fields, are read."""
        record = bytearray(bytes.fromhex(STREAMS["high_638x478"]["record"]))
        record[4] &= 0x03
        record[5] &= 0x1F
        self.assertEqual(parse_avcc(bytes(record)).sps, (sets_of("high_638x478")[0],))
        self.assertEqual(len(parse_avcc(bytes(record[:-4])).pps), 1)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=60).map(lambda data: b"\1" + data))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes raise nothing but `WireError`."""
        try:
            record = parse_avcc(data)
        except WireError:
            return
        self.assertLess(sum(map(len, record.sps + record.pps)), len(data))
        self.assertEqual(AVCC.parse(data).version, 1)
