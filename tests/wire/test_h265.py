"""H.265 parameter sets: of real encoders, of cameras, of random descriptions, and broken ones."""

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import h265
from axis_nvr.wire.bits import BitReader
from axis_nvr.wire.h265_profile import ProfileTierLevel
from axis_nvr.wire.h265_references import ShortTermSet, read_short_term_sets
from axis_nvr.wire.hvcc import MAX_HVCC_SETS, build_hvcc, parse_hvcc
from axis_nvr.wire.nal import escape, h265_nal_type, nal_units_from_sprop
from axis_nvr.wire.picture import MAX_PICTURE_SIDE
from tests.wire.bit_writer import BitWriter

DATA = json.loads((Path(__file__).parents[1] / "data" / "h265_parameter_sets.json").read_text())
STREAMS: dict[str, Any] = {stream["name"]: stream for stream in DATA["streams"]}
#: What the names of pixel formats mean: chroma_format_idc and bit depth.
PIXEL_FORMATS = {
    "gray": (0, 8),
    "yuv420p": (1, 8),
    "yuvj420p": (1, 8),
    "yuv420p10le": (1, 10),
    "yuv422p10le": (2, 10),
    "yuv444p": (3, 8),
}
PROFILES = {"Main": 1, "Main 10": 2, "Rext": 4}


def sets_of(name: str) -> tuple[bytes, bytes, bytes]:
    vps, sps, pps = (bytes.fromhex(one) for one in STREAMS[name]["sets"])
    return vps, sps, pps


class EncoderTests(SynchronousTestCase):
    """libx265 in many settings, against what ffprobe reads."""

    def test_size_profile_rate_and_order(self) -> None:
        """Size with cropping, profile, level, frame rate and reordering are ffprobe's."""
        for name, stream in STREAMS.items():
            sps, expected = h265.parse_sps(sets_of(name)[1]), stream["ffprobe"]
            self.assertEqual((sps.width, sps.height), (expected["width"], expected["height"]), name)
            self.assertEqual(sps.profile.profile_idc, PROFILES[expected["profile"]], name)
            self.assertEqual(sps.profile.level_idc, expected["level"], name)
            self.assertEqual(sps.frame_rate, Fraction(expected["r_frame_rate"]), name)
            self.assertEqual(sps.max_num_reorder_frames, expected["has_b_frames"], name)

    def test_chroma_and_depth(self) -> None:
        """Chroma format and bit depth are ffprobe's."""
        for name, stream in STREAMS.items():
            sps = h265.parse_sps(sets_of(name)[1])
            chroma, depth = PIXEL_FORMATS[stream["ffprobe"]["pix_fmt"]]
            self.assertEqual(sps.chroma_format_idc, chroma, name)
            self.assertEqual((sps.bit_depth_luma, sps.bit_depth_chroma), (depth, depth), name)

    def test_vps_and_pps(self) -> None:
        """The VPS agrees with the SPS; wavefronts are on in libx265."""
        for name in STREAMS:
            vps, sps = h265.parse_vps(sets_of(name)[0]), h265.parse_sps(sets_of(name)[1])
            self.assertEqual((vps.vps_id, vps.profile), (sps.vps_id, sps.profile), name)
            self.assertEqual(vps.max_sub_layers, sps.max_sub_layers, name)
            pps = h265.parse_pps(sets_of(name)[2])
            self.assertEqual((pps.pps_id, pps.sps_id, pps.tiles), (0, 0, False), name)

    def test_sub_layers(self) -> None:
        """More than one temporal sub-layer is read (others failed at it)."""
        sps = h265.parse_sps(sets_of("sub_layers_640x360")[1])
        self.assertEqual((sps.max_sub_layers, sps.frame_rate), (2, Fraction(30)))

    def test_high_tier(self) -> None:
        """The high tier is told from the main one."""
        high = h265.parse_sps(sets_of("vps_timing_high_tier_640x480")[1])
        self.assertTrue(high.profile.high_tier)
        self.assertFalse(h265.parse_sps(sets_of("main_1920x1080")[1]).profile.high_tier)

    def test_vui(self) -> None:
        """Fields, the display window, aspect ratio and range."""
        fields = h265.parse_sps(sets_of("interlaced_720x288")[1]).vui
        assert fields is not None
        self.assertTrue(fields.field_sequence)
        vui = h265.parse_sps(sets_of("scaling_lists_vui_640x480")[1]).vui
        assert vui is not None
        self.assertEqual(vui.display_window, (2, 2, 2, 2))
        self.assertEqual(vui.display.sample_aspect_ratio, (3, 0, 0))
        self.assertTrue(vui.display.full_range)

    def test_record(self) -> None:
        """The hvcC is the one ffmpeg writes, byte for byte.

        mkvmerge's differs: it holds the SEI of the encoder, too, and calls all arrays complete.
        """
        for name, stream in STREAMS.items():
            vps, sps, pps = sets_of(name)
            self.assertEqual(build_hvcc([vps], [sps], [pps]).hex(), stream["record"], name)


class CameraTests(SynchronousTestCase):
    """Sets that cameras have sent, as their owners reported them."""

    def test_reolink(self) -> None:
        """Reolink 811: tiles in the PPS, 3840x2160, no timing."""
        vps, sps, pps = nal_units_from_sprop(
            "QAEMAf//AWAAAAMAAAMAAAMAAAMAlqwJ,"
            "QgEBAWAAAAMAAAMAAAMAAAMAlqAB4CACHH+KrTuiS7I=,"
            "RAHAcvCJBAcONkg="
        )
        read = h265.parse_sps(sps)
        self.assertEqual((read.width, read.height, read.frame_rate), (3840, 2160, None))
        self.assertIsNone(h265.parse_vps(vps).frame_rate)
        self.assertTrue(h265.parse_pps(pps).tiles)

    def test_predicted_reference_sets(self) -> None:
        """A broadcast stream with predicted reference picture sets; the rate is behind them."""
        sps = h265.parse_sps(
            bytes.fromhex(
                "4201010140000003008000000300000300 96a001e020021c5b116e46c0ad64bf"
                "e7e65e760280500000030010000003019612def7e00023c440004788c8"
            )
        )
        self.assertEqual((sps.width, sps.height, sps.frame_rate), (3840, 2160, Fraction(25)))

    def test_trailing_zero(self) -> None:
        """A camera's set without emulation prevention and with a zero byte behind."""
        sps = h265.parse_sps(
            bytes.fromhex(
                "4201010160000000000000000000 96a003c08010e58dae49326b96700800001f"
                "4800030e0840b1b63000"
            )
        )
        self.assertEqual((sps.width, sps.height, sps.frame_rate), (1920, 1080, Fraction(25)))


@dataclass
class Description:
    """What `write_sps` writes; the names are the specification's."""

    sub_layers: int
    sub_layer_flags: list[tuple[bool, bool]]
    profile: tuple[int, bool, int, int, int, int]
    ids: tuple[int, int]
    chroma_format_idc: int
    separate_planes: bool
    size: tuple[int, int]
    window: tuple[int, int, int, int] | None
    depths: tuple[int, int]
    reorder: list[int] | None
    scaling_lists: int | None
    pcm: bool
    reference_sets: list[tuple[Any, ...]]
    long_term: int
    timing: tuple[int, int] | None
    hrd: tuple[bool, bool, bool, int] | None
    segmentation: int | None


def write_profile(bits: BitWriter, d: Description) -> None:
    space, tier, profile, compatibility, constraints, level = d.profile
    bits.u(2, space).u(1, tier).u(5, profile).u(32, compatibility).u(48, constraints).u(8, level)
    if d.sub_layers > 1:
        flags = d.sub_layer_flags[: d.sub_layers - 1]
        for has_profile, has_level in flags:
            bits.u(1, has_profile).u(1, has_level)
        bits.u(2 * (8 - len(flags)), 0)
        for has_profile, has_level in flags:
            bits.u(88 * has_profile, (1 << 87) + 1 if has_profile else 0)
            bits.u(8 * has_level, 93 if has_level else 0)


def write_ordering(bits: BitWriter, d: Description) -> None:
    bits.u(1, d.reorder is not None)
    for value in (d.reorder or [3])[: d.sub_layers]:
        bits.ue(15).ue(value).ue(0)


def write_vps(d: Description) -> bytes:
    """Write a video parameter set, in the order of H.265 §7.3.2.1."""
    bits = BitWriter().u(16, 0x4001).u(4, d.ids[0]).u(2, 3).u(6, 0).u(3, d.sub_layers - 1)
    bits.u(1, 1).u(16, 0xFFFF)
    write_profile(bits, d)
    write_ordering(bits, d)
    bits.u(6, 2).ue(3).u(9, 0x155).u(1, d.timing is not None)
    if d.timing is not None:
        bits.u(32, d.timing[0]).u(32, d.timing[1]).u(1, 1).ue(0).ue(0)
    return escape(bits.u(1, 0).rbsp())


def write_sps(d: Description) -> bytes:
    """Write a sequence parameter set, in the order of H.265 §7.3.2.2.1."""
    bits = BitWriter().u(16, 0x4201).u(4, d.ids[0]).u(3, d.sub_layers - 1).u(1, 1)
    write_profile(bits, d)
    bits.ue(d.ids[1]).ue(d.chroma_format_idc)
    if d.chroma_format_idc == 3:
        bits.u(1, d.separate_planes)
    bits.ue(d.size[0]).ue(d.size[1]).u(1, d.window is not None)
    for offset in d.window or ():
        bits.ue(offset)
    bits.ue(d.depths[0] - 8).ue(d.depths[1] - 8).ue(4)
    write_ordering(bits, d)
    bits.ue(0).ue(3).ue(0).ue(3).ue(0).ue(4)
    write_scaling_lists(bits, d.scaling_lists)
    bits.u(2, 3).u(1, d.pcm)
    if d.pcm:
        bits.u(8, 0x77).ue(0).ue(2).u(1, 1)
    write_reference_sets(bits, d.reference_sets)
    bits.u(1, d.long_term > 0)
    if d.long_term:
        bits.ue(d.long_term)
        for _ in range(d.long_term):
            bits.u(8, 0xA5).u(1, 1)
    bits.u(2, 2)
    write_vui(bits, d)
    return escape(bits.u(1, 0).rbsp())


def write_scaling_lists(bits: BitWriter, delta: int | None) -> None:
    """Write lists: half of them predicted, half of them all of one `delta`."""
    bits.u(1, delta is not None)
    if delta is None:
        return
    bits.u(1, 1)
    for size_id in range(4):
        for matrix in range(0, 6, 3 if size_id == 3 else 1):
            bits.u(1, matrix % 2)
            if matrix % 2 == 0:
                bits.ue(matrix // 3 if size_id == 3 else matrix)
                continue
            if size_id > 1:
                bits.se(delta)
            for _ in range(min(64, 1 << 4 + 2 * size_id)):
                bits.se(delta)


def write_reference_sets(bits: BitWriter, sets: list[tuple[Any, ...]]) -> list[ShortTermSet]:
    """Write sets, explicit or predicted, and derive them as equations 7-61 and 7-62 do."""
    bits.ue(len(sets))
    derived: list[ShortTermSet] = []
    for kind, *values in sets:
        if derived:
            bits.u(1, kind == "predicted")
        if kind == "predicted" and derived:
            derived.append(write_predicted(bits, derived[-1], *values))
        else:
            negative, positive = values if kind == "explicit" else ([1], [])
            bits.ue(len(negative)).ue(len(positive))
            for step in (*negative, *positive):
                bits.ue(step - 1).u(1, 1)
            derived.append(ShortTermSet(sums(negative, -1), sums(positive, 1)))
    return derived


def sums(steps: list[int], sign: int) -> tuple[int, ...]:
    return tuple(sign * sum(steps[: count + 1]) for count in range(len(steps)))


def write_predicted(
    bits: BitWriter, reference: ShortTermSet, shift: int, choices: list[int]
) -> ShortTermSet:
    s0, s1 = reference
    bits.u(1, shift < 0).ue(abs(shift) - 1)
    count = len(s0) + len(s1)
    use = []
    for place in range(count + 1):
        choice = choices[place % len(choices)]  # 2 used, 1 kept and not used, 0 dropped
        bits.u(1, choice == 2)
        if choice != 2:
            bits.u(1, choice == 1)
        use.append(choice > 0)
    kept0 = [distance + shift for distance, keep in zip(s0, use, strict=False) if keep]
    kept1 = [distance + shift for distance, keep in zip(s1, use[len(s0) :], strict=False) if keep]
    itself = [shift] * use[count]
    negative = [d for d in (*reversed(kept1), *itself, *kept0) if d < 0]
    positive = [d for d in (*reversed(kept0), *itself, *kept1) if d > 0]
    return ShortTermSet(tuple(negative), tuple(positive))


def write_vui(bits: BitWriter, d: Description) -> None:
    bits.u(1, 1).u(1, 1).u(8, 255).u(16, 4).u(16, 3).u(1, 1).u(1, 0)
    bits.u(1, 1).u(3, 5).u(1, 1).u(1, 1).u(24, 0x010203).u(1, 1).ue(1).ue(2)
    bits.u(3, 0).u(1, 1).ue(1).ue(2).ue(3).ue(4)
    bits.u(1, d.timing is not None)
    if d.timing is not None:
        bits.u(32, d.timing[0]).u(32, d.timing[1]).u(1, 1).ue(5).u(1, d.hrd is not None)
        if d.hrd is not None:
            write_hrd(bits, d.sub_layers, *d.hrd)
    bits.u(1, d.segmentation is not None)
    if d.segmentation is not None:
        bits.u(3, 7).ue(d.segmentation).ue(2).ue(1).ue(15).ue(15)


def write_hrd(
    bits: BitWriter, sub_layers: int, nal: bool, vcl: bool, sub_pic: bool, count: int
) -> None:
    bits.u(1, nal).u(1, vcl)
    if nal or vcl:
        bits.u(1, sub_pic)
        if sub_pic:
            bits.u(19, 0x2AAAA)
        bits.u(8, 0x11)
        if sub_pic:
            bits.u(4, 5)
        bits.u(15, 0x5555)
    else:
        sub_pic = False
    for layer in range(sub_layers):
        if layer % 3 == 0:
            bits.u(1, 1).ue(7).ue(count - 1)  # fixed rate in general
        elif layer % 3 == 1:
            bits.u(1, 0).u(1, 1).ue(7).ue(count - 1)  # fixed rate within a sequence
        else:
            bits.u(1, 0).u(1, 0).u(1, 1)  # low delay: one buffer
        for _ in range((nal + vcl) * (1 if layer % 3 == 2 else count)):
            bits.ue(1000).ue(2000)
            if sub_pic:
                bits.ue(10).ue(20)
            bits.u(1, 1)


steps = st.lists(st.integers(1, 9), max_size=4)
reference_sets = st.lists(
    st.tuples(st.just("explicit"), steps, steps)
    | st.tuples(
        st.just("predicted"),
        st.integers(-9, 9).filter(bool),
        st.lists(st.integers(0, 2), min_size=1, max_size=9),
    ),
    max_size=7,
)
descriptions = st.builds(
    Description,
    sub_layers=st.integers(1, 7),
    sub_layer_flags=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=6, max_size=6),
    profile=st.tuples(
        st.integers(0, 3),
        st.booleans(),
        st.integers(0, 31),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**48 - 1),
        st.integers(0, 255),
    ),
    ids=st.tuples(st.integers(0, 15), st.integers(0, 15)),
    chroma_format_idc=st.integers(0, 3),
    separate_planes=st.booleans(),
    size=st.tuples(st.integers(64, 16384), st.integers(64, 16384)),
    window=st.none() | st.tuples(*[st.integers(0, 7)] * 4),
    depths=st.tuples(st.integers(8, 15), st.integers(8, 15)),
    reorder=st.none() | st.lists(st.integers(0, 15), min_size=7, max_size=7),
    scaling_lists=st.none() | st.integers(-7, 100),
    pcm=st.booleans(),
    reference_sets=reference_sets,
    long_term=st.integers(0, 32),
    timing=st.none() | st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1)),
    hrd=st.none()
    | st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([1, 2, 32])),
    segmentation=st.none() | st.integers(0, 4095),
)


class RandomTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(descriptions)
    def test_reads_what_was_written(self, d: Description) -> None:
        """Any set of any description reads as what it was made of, to the last element."""
        sps = h265.parse_sps(write_sps(d))
        self.assertEqual((sps.vps_id, sps.sps_id, sps.max_sub_layers), (*d.ids, d.sub_layers))
        self.check_profile(sps.profile, d)
        self.assertEqual((sps.coded_width, sps.coded_height), d.size)
        self.assertEqual((sps.bit_depth_luma, sps.bit_depth_chroma), d.depths)
        left, right, top, bottom = d.window or (0, 0, 0, 0)
        unit_x = 2 if d.chroma_format_idc in (1, 2) else 1
        unit_y = 2 if d.chroma_format_idc == 1 else 1
        self.assertEqual(sps.width, d.size[0] - unit_x * (left + right))
        self.assertEqual(sps.height, d.size[1] - unit_y * (top + bottom))
        expected = d.reorder[d.sub_layers - 1] if d.reorder else 3
        self.assertEqual(sps.max_num_reorder_frames, expected)
        assert sps.vui is not None
        self.assertEqual(sps.vui.display_window, (1, 2, 3, 4))
        units, scale = d.timing or (0, 0)
        self.assertEqual((sps.vui.num_units_in_tick, sps.vui.time_scale), (units, scale))
        self.assertEqual(sps.vui.min_spatial_segmentation, d.segmentation or 0)

    def check_profile(self, read: ProfileTierLevel, d: Description) -> None:
        got = (
            read.profile_space,
            read.high_tier,
            read.profile_idc,
            read.compatibility,
            read.constraints,
            read.level_idc,
        )
        self.assertEqual(got, d.profile)

    @settings(max_examples=40, deadline=None)
    @given(descriptions)
    def test_vps(self, d: Description) -> None:
        """The VPS gives profile, sub-layers and timing."""
        vps = h265.parse_vps(write_vps(d))
        self.assertEqual((vps.vps_id, vps.max_sub_layers), (d.ids[0], d.sub_layers))
        self.check_profile(vps.profile, d)
        self.assertEqual((vps.num_units_in_tick, vps.time_scale), d.timing or (0, 0))

    @settings(max_examples=40, deadline=None)
    @given(descriptions, st.integers(0, 3))
    def test_record(self, d: Description, tools: int) -> None:
        """Any sets make a record that gives them back."""
        sps, vps = write_sps(d), write_vps(d)
        pps = write_pps(tiles=bool(tools & 1), wavefront=bool(tools & 2))
        record = build_hvcc([vps], [sps], [pps])
        read = parse_hvcc(record)
        self.assertEqual((read.vps, read.sps, read.pps), ((vps,), (sps,), (pps,)))
        self.assertEqual((read.profile_idc, read.level_idc), (d.profile[2], d.profile[5]))
        kind = {0: 1, 1: 2, 2: 3, 3: 0}[tools]
        self.assertEqual(record[15] & 3, kind if d.segmentation else 0)

    @settings(max_examples=120, deadline=None)
    @given(reference_sets)
    def test_predicted_sets(self, sets: list[tuple[Any, ...]]) -> None:
        """Predicted sets are worked out as the equations of the specification do."""
        bits = BitWriter()
        expected = write_reference_sets(bits, sets)
        self.assertEqual(read_short_term_sets(BitReader(bits.to_bytes(), "test")), expected)

    @settings(max_examples=120, deadline=None)
    @given(st.sampled_from(sorted(STREAMS)), st.data())
    def test_damaged(self, name: str, data: st.DataObject) -> None:
        """Real sets with flipped bits, cut or continued: a size within bounds or a `WireError`."""
        whole = data.draw(st.sampled_from(sets_of(name)))
        parse: Any = {32: h265.parse_vps, 33: h265.parse_sps, 34: h265.parse_pps}
        damaged = bytearray(whole)
        for place in data.draw(st.lists(st.integers(16, 8 * len(whole) - 1), max_size=3)):
            damaged[place // 8] ^= 1 << place % 8
        cut = data.draw(st.integers(0, len(whole) + 20))
        try:
            read = parse[h265_nal_type(whole)](bytes(damaged)[:cut])
        except WireError as error:
            self.assertIn("H.265 §7.3.2", error.source)
            return
        if isinstance(read, h265.H265Sps):
            self.assertTrue(0 < read.width <= MAX_PICTURE_SIDE)
            self.assertTrue(0 < read.height <= MAX_PICTURE_SIDE)

    @settings(max_examples=120, deadline=None)
    @given(st.binary(max_size=80))
    @example(b"\xff" * 80)
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes behind the header raise nothing but `WireError`."""
        for header, parse in (
            (b"\x40\1", h265.parse_vps),
            (b"\x42\1\1", h265.parse_sps),
            (b"\x44\1", h265.parse_pps),
        ):
            try:
                parse(header + data)
            except WireError:
                continue


def write_pps(*, tiles: bool, wavefront: bool) -> bytes:
    """Write a picture parameter set up to the flags that ``hvcC`` needs, and some more."""
    bits = BitWriter().u(16, 0x4401).ue(3).ue(1).u(2, 0).u(5, 0).ue(0).ue(14).se(-9).u(2, 1)
    bits.u(1, 1).ue(2).se(-12).se(12).u(4, 5).u(1, tiles).u(1, wavefront)
    return escape(bits.u(8, 0x5A).rbsp())


class TolerantTests(SynchronousTestCase):
    def test_what_cannot_be_read_behind_the_size(self) -> None:
        """A set that ends in its reference pictures tells the size, and no rate."""
        _, sps, _ = sets_of("main_1920x1080")
        cut = h265.parse_sps(sps[:35])
        self.assertEqual((cut.width, cut.height, cut.vui, cut.frame_rate), (1920, 1080, None, None))
        vps = h265.parse_vps(sets_of("main_1920x1080")[0][:21])
        self.assertIsNone(vps.frame_rate)

    def test_forbidden_bit(self) -> None:
        """The forbidden bit does not keep a set from being read."""
        _, sps, _ = sets_of("main_1920x1080")
        self.assertEqual(h265.parse_sps(bytes([sps[0] | 0x80]) + sps[1:]).width, 1920)

    def test_refused(self) -> None:
        """Other NAL units, other layers, cut sets and no size name their section."""
        vps, sps, pps = sets_of("main_1920x1080")
        for parse, data in (
            (h265.parse_sps, b""),
            (h265.parse_sps, vps),
            (h265.parse_vps, sps),
            (h265.parse_pps, sps),
            (h265.parse_sps, sps[:20]),
            (h265.parse_sps, b"\x42\x09" + sps[2:]),  # layer 1
            (h265.parse_sps, sps[:2] + b"\x0f" + sps[3:]),  # 8 sub-layers
            (h265.parse_sps, b"\x42\x01" * 40_000),
            (h265.parse_pps, pps[:3]),
        ):
            with self.assertRaisesRegex(WireError, "H.265 §7.3.2"):
                parse(data)

    def test_limits(self) -> None:
        """Counts beyond the specification's maxima are refused where they stand."""
        bits = BitWriter().ue(65)
        with self.assertRaisesRegex(WireError, "num_short_term_ref_pic_sets is 65"):
            read_short_term_sets(BitReader(bits.to_bytes(), "test"))
        bits = BitWriter().ue(1).ue(9).ue(8)
        with self.assertRaisesRegex(WireError, "num_positive_pics is 8"):
            read_short_term_sets(BitReader(bits.to_bytes(), "test"))
        bits = BitWriter()
        write_reference_sets(bits, [("explicit", [1] * 8, [1] * 8), ("predicted", 20, [2])])
        with self.assertRaisesRegex(WireError, "more than 16 reference pictures"):
            read_short_term_sets(BitReader(bits.to_bytes(), "test"))


class RecordTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """A complete record differs in one bit of each array."""
        vps, sps, pps = sets_of("main10_1280x720")
        some = build_hvcc([vps], [sps], [pps])
        whole = build_hvcc([vps], [sps], [pps], complete=True)
        changed = [a ^ b for a, b in zip(some, whole, strict=True) if a != b]
        self.assertEqual(changed, [0x80] * 3)
        self.assertEqual(parse_hvcc(whole), parse_hvcc(some))

    def test_missing_vps(self) -> None:
        """Without a VPS the array is left out."""
        _, sps, pps = sets_of("main10_1280x720")
        self.assertEqual(parse_hvcc(build_hvcc([], [sps], [pps])).vps, ())

    def test_refused(self) -> None:
        """No sets, too many, too long ones, and records cut anywhere."""
        vps, sps, pps = sets_of("main10_1280x720")
        for some in (
            ([vps], [], [pps]),
            ([vps], [sps], []),
            ([vps], [sps], [pps] * (MAX_HVCC_SETS + 1)),
            ([bytes(70_000)], [sps], [pps]),
        ):
            with self.assertRaises(WireError):
                build_hvcc(*some)
        record = build_hvcc([vps], [sps], [pps])
        for end in range(len(record)):
            with self.assertRaises(WireError):
                parse_hvcc(record[:end])

    @settings(max_examples=120, deadline=None)
    @given(st.binary(max_size=80).map(lambda data: b"\1" + data))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes raise nothing but `WireError`."""
        try:
            record = parse_hvcc(data)
        except WireError:
            return
        self.assertLess(sum(map(len, record.vps + record.sps + record.pps)), len(data))
