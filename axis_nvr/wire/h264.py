"""H.264 parameter sets: how large the pictures are, how they are coded and how many come.

::

    sequence parameter set   header 67 | profile_idc 8 | constraint flags 8 | level_idc 8 | …
    picture parameter set    header 68 | …

One function stands for one syntax table or a part of it, in the order of the specification. The
sets come from the SDP or in band, once for each GOP or never again; reading one takes less than
a millisecond, and `axis_nvr.media.formats` reads each different one once.

Tolerated: bytes behind the end of a set (a Reolink doorbell sends one), VUI that is cut off or
out of range (then there is none), a cropping rectangle that leaves nothing (then it is not
applied, as decoders do).
"""

from dataclasses import dataclass
from fractions import Fraction

from axis_nvr.errors import WireError
from axis_nvr.wire.bits import BitReader
from axis_nvr.wire.h264_vui import H264Usability, read_vui
from axis_nvr.wire.nal import MAX_PARAMETER_SET_BYTES, H264NalType, h264_nal_type, unescape
from axis_nvr.wire.picture import (
    CHROMA_SUBSAMPLING,
    MAX_PICTURE_SIDE,
    CodedPicture,
    believable_rate,
    crop_within,
)

#: Sequence parameter sets with different ids (H.264 §7.4.2.1.1).
MAX_SPS_COUNT = 32
#: Picture parameter sets with different ids (H.264 §7.4.2.2).
MAX_PPS_COUNT = 256
#: ``num_ref_frames_in_pic_order_cnt_cycle`` (H.264 §7.4.2.1.1).
MAX_POC_CYCLE = 255
#: Reference frames (H.264 §A.3.1: no more than the DPB holds).
MAX_REFERENCE_FRAMES = 16
#: Slice groups (H.264 §7.4.2.2, Annex A).
MAX_SLICE_GROUPS = 8
#: Macroblocks in a picture of the largest size.
MAX_MACROBLOCKS = (MAX_PICTURE_SIDE // 16) ** 2
#: Map units whose slice group a PPS may list one by one (`slice_group_map_type` 6).
MAX_MAP_UNITS = 8 * MAX_PARAMETER_SET_BYTES
#: Profiles whose sets tell chroma format and bit depth (H.264 §7.3.2.1.1).
CHROMA_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
#: Intra-only profiles, with ``constraint_set3_flag`` (H.264 §E.2.1, max_num_reorder_frames).
INTRA_PROFILES = frozenset({44, 86, 100, 110, 122, 244})
_SPS_SOURCE = "H.264 §7.3.2.1.1"
_PPS_SOURCE = "H.264 §7.3.2.2"


@dataclass(frozen=True, slots=True)
class H264Sps(CodedPicture):
    """An H.264 sequence parameter set. Sizes are of frames; coded ones are multiples of 16.

    :param profile_idc: 66 baseline, 77 main, 100 high, …
    :param constraint_flags: the byte behind it, ``constraint_set0_flag`` on top.
    :param level_idc: ten times the level.
    :param sps_id: ``seq_parameter_set_id``.
    :param pic_order_cnt_type: 2 means that pictures are shown as they come.
    :param max_num_ref_frames: reference frames.
    :param interlaced: pictures may be fields (``frame_mbs_only_flag`` is 0).
    :param vui: None where there is none or where it cannot be read.
    """

    profile_idc: int
    constraint_flags: int
    level_idc: int
    sps_id: int
    pic_order_cnt_type: int
    max_num_ref_frames: int
    interlaced: bool
    vui: H264Usability | None

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames a second as the VUI tells, or None. A tick is a field: two to a frame."""
        if self.vui is None:
            return None
        return believable_rate(self.vui.time_scale, 2 * self.vui.num_units_in_tick)

    @property
    def max_num_reorder_frames(self) -> int | None:
        """Frames that come before one to be shown earlier, told or inferred; None is unknown.

        A hint and no promise: cameras send B frames though they say 0.

        Source: H.264 §E.2.1.
        """
        if self.vui is not None and self.vui.max_num_reorder_frames is not None:
            return self.vui.max_num_reorder_frames
        intra_only = self.profile_idc in INTRA_PROFILES and self.constraint_flags & 0x10
        if intra_only or self.profile_idc == 66 or self.pic_order_cnt_type == 2:
            return 0  # profile 66, baseline, has no B slices
        return None


@dataclass(frozen=True, slots=True)
class H264Pps:
    """An H.264 picture parameter set.

    :param pps_id: ``pic_parameter_set_id``.
    :param sps_id: the sequence parameter set that it refers to.
    :param cabac: ``entropy_coding_mode_flag``.
    :param slice_group_count: 1 except in baseline streams with slice groups.
    :param transform_8x8: ``transform_8x8_mode_flag``.
    :param scaling_matrix: whether scaling lists are given.
    """

    pps_id: int
    sps_id: int
    cabac: bool
    slice_group_count: int
    transform_8x8: bool
    scaling_matrix: bool


def parse_sps(nal: bytes) -> H264Sps:
    """Read a sequence parameter set.

    :param nal: the NAL unit with its header, as it came (with emulation prevention).
    :raises WireError: another NAL unit, cut off before the VUI, or out of range.

    Source: H.264 §7.3.2.1.1.
    """
    bits = _open_set(nal, H264NalType.SPS, _SPS_SOURCE)
    profile_idc = bits.u(8, "profile_idc")
    constraint_flags = bits.u(8, "constraint flags")
    level_idc = bits.u(8, "level_idc")
    sps_id = bits.ue("seq_parameter_set_id", MAX_SPS_COUNT - 1)
    chroma_format_idc, separate_planes, depth_luma, depth_chroma = (
        _read_chroma(bits) if profile_idc in CHROMA_PROFILES else (1, False, 8, 8)
    )
    bits.ue("log2_max_frame_num_minus4", 12)
    pic_order_cnt_type = _read_pic_order_cnt(bits)
    max_num_ref_frames = bits.ue("max_num_ref_frames", MAX_REFERENCE_FRAMES)
    bits.skip(1, "gaps_in_frame_num_value_allowed_flag")
    width, height, interlaced = _read_size(bits)
    chroma_array_type = 0 if separate_planes else chroma_format_idc
    return H264Sps(
        profile_idc=profile_idc,
        constraint_flags=constraint_flags,
        level_idc=level_idc,
        sps_id=sps_id,
        chroma_format_idc=chroma_format_idc,
        separate_colour_planes=separate_planes,
        bit_depth_luma=depth_luma,
        bit_depth_chroma=depth_chroma,
        pic_order_cnt_type=pic_order_cnt_type,
        max_num_ref_frames=max_num_ref_frames,
        coded_width=width,
        coded_height=height,
        interlaced=interlaced,
        crop=_read_cropping(bits, chroma_array_type, interlaced, width, height),
        vui=_read_optional_vui(bits),
    )


def _open_set(nal: bytes, expected: H264NalType, source: str) -> BitReader:
    if not 1 < len(nal) <= MAX_PARAMETER_SET_BYTES or h264_nal_type(nal) != expected:
        shown = nal[:1].hex() or "nothing"
        raise WireError(f"no {expected.name}: {shown}, {len(nal)} bytes", offset=0, source=source)
    bits = BitReader(unescape(nal), source)
    bits.skip(8, "NAL header")
    return bits


def _read_chroma(bits: BitReader) -> tuple[int, bool, int, int]:
    chroma_format_idc = bits.ue("chroma_format_idc", 3)
    separate_planes = chroma_format_idc == 3 and bits.flag("separate_colour_plane_flag")
    depth_luma = bits.ue("bit_depth_luma_minus8", 6) + 8
    depth_chroma = bits.ue("bit_depth_chroma_minus8", 6) + 8
    bits.skip(1, "qpprime_y_zero_transform_bypass_flag")
    if bits.flag("seq_scaling_matrix_present_flag"):
        _read_scaling_matrix(bits, 8 if chroma_format_idc != 3 else 12)
    return chroma_format_idc, separate_planes, depth_luma, depth_chroma


def _read_scaling_matrix(bits: BitReader, count: int) -> None:
    """Go past scaling lists: six for 4x4 blocks, then those for 8x8."""
    for index in range(count):
        if bits.flag("scaling_list_present_flag"):
            _read_scaling_list(bits, 16 if index < 6 else 64)


def _read_scaling_list(bits: BitReader, size: int) -> None:
    """Go past one ``scaling_list()``: differences up to one that makes the next scale 0.

    Source: H.264 §7.3.2.1.1.1.
    """
    last_scale = 8
    for _ in range(size):
        last_scale = (last_scale + bits.se("delta_scale", -128, 127)) % 256
        if last_scale == 0:
            return


def _read_pic_order_cnt(bits: BitReader) -> int:
    pic_order_cnt_type = bits.ue("pic_order_cnt_type", 2)
    if pic_order_cnt_type == 0:
        bits.ue("log2_max_pic_order_cnt_lsb_minus4", 12)
    elif pic_order_cnt_type == 1:
        bits.skip(1, "delta_pic_order_always_zero_flag")
        bits.se("offset_for_non_ref_pic")
        bits.se("offset_for_top_to_bottom_field")
        for _ in range(bits.ue("num_ref_frames_in_pic_order_cnt_cycle", MAX_POC_CYCLE)):
            bits.se("offset_for_ref_frame")
    return pic_order_cnt_type


def _read_size(bits: BitReader) -> tuple[int, int, bool]:
    """Read width and height of a frame, in pixels, and whether pictures may be fields."""
    width = 16 * (bits.ue("pic_width_in_mbs_minus1", MAX_PICTURE_SIDE // 16 - 1) + 1)
    map_units = bits.ue("pic_height_in_map_units_minus1", MAX_PICTURE_SIDE // 16 - 1) + 1
    interlaced = not bits.flag("frame_mbs_only_flag")
    if interlaced:
        bits.skip(1, "mb_adaptive_frame_field_flag")
    bits.skip(1, "direct_8x8_inference_flag")
    height = 16 * map_units * (1 + interlaced)
    if height > MAX_PICTURE_SIDE:
        raise bits.error(f"{height} lines, at most {MAX_PICTURE_SIDE} allowed")
    return width, height, interlaced


def _read_cropping(
    bits: BitReader, chroma_array_type: int, interlaced: bool, width: int, height: int
) -> tuple[int, int, int, int]:
    """Read the cropping rectangle, in pixels (H.264 §7.4.2.1.1, CropUnitX and CropUnitY)."""
    if not bits.flag("frame_cropping_flag"):
        return 0, 0, 0, 0
    offsets = (
        bits.ue("frame_crop_left_offset"),
        bits.ue("frame_crop_right_offset"),
        bits.ue("frame_crop_top_offset"),
        bits.ue("frame_crop_bottom_offset"),
    )
    unit_x, unit_y = CHROMA_SUBSAMPLING[chroma_array_type]
    return crop_within(width, height, offsets, unit_x, unit_y * (1 + interlaced))


def _read_optional_vui(bits: BitReader) -> H264Usability | None:
    """Read the VUI, or none: all that decoding needs stands before it."""
    try:
        return read_vui(bits) if bits.flag("vui_parameters_present_flag") else None
    except WireError:
        return None


def parse_pps(nal: bytes, chroma_format_idc: int = 1) -> H264Pps:
    """Read a picture parameter set.

    :param nal: the NAL unit with its header, as it came (with emulation prevention).
    :param chroma_format_idc: of the sequence parameter set it refers to: 4:4:4 has more scaling
        lists.
    :raises WireError: another NAL unit, cut off, or out of range.

    Source: H.264 §7.3.2.2.
    """
    bits = _open_set(nal, H264NalType.PPS, _PPS_SOURCE)
    pps_id = bits.ue("pic_parameter_set_id", MAX_PPS_COUNT - 1)
    sps_id = bits.ue("seq_parameter_set_id", MAX_SPS_COUNT - 1)
    cabac = bits.flag("entropy_coding_mode_flag")
    bits.skip(1, "bottom_field_pic_order_in_frame_present_flag")
    slice_group_count = bits.ue("num_slice_groups_minus1", MAX_SLICE_GROUPS - 1) + 1
    if slice_group_count > 1:
        _read_slice_groups(bits, slice_group_count)
    bits.ue("num_ref_idx_l0_default_active_minus1", 31)
    bits.ue("num_ref_idx_l1_default_active_minus1", 31)
    bits.skip(3, "weighted_pred_flag, weighted_bipred_idc")
    bits.se("pic_init_qp_minus26", -62, 25)  # from -(26 + QpBdOffset)
    bits.se("pic_init_qs_minus26", -26, 25)
    bits.se("chroma_qp_index_offset", -12)
    bits.skip(3, "deblocking_filter_control_present_flag … redundant_pic_cnt_present_flag")
    try:
        transform_8x8, scaling_matrix = _read_pps_extension(bits, chroma_format_idc)
    except WireError:  # bytes behind the end, no extension
        transform_8x8, scaling_matrix = False, False
    return H264Pps(pps_id, sps_id, cabac, slice_group_count, transform_8x8, scaling_matrix)


def _read_slice_groups(bits: BitReader, count: int) -> None:
    map_type = bits.ue("slice_group_map_type", 6)
    if map_type == 0:
        for _ in range(count):
            bits.ue("run_length_minus1", MAX_MACROBLOCKS - 1)
    elif map_type == 2:
        for _ in range(count - 1):
            bits.ue("top_left", MAX_MACROBLOCKS - 1)
            bits.ue("bottom_right", MAX_MACROBLOCKS - 1)
    elif map_type in (3, 4, 5):
        bits.skip(1, "slice_group_change_direction_flag")
        bits.ue("slice_group_change_rate_minus1", MAX_MACROBLOCKS - 1)
    elif map_type == 6:
        map_units = bits.ue("pic_size_in_map_units_minus1", MAX_MAP_UNITS - 1) + 1
        bits.skip(map_units * (count - 1).bit_length(), "slice_group_id")


def _read_pps_extension(bits: BitReader, chroma_format_idc: int) -> tuple[bool, bool]:
    """Read what only the high profiles have at the end."""
    if not bits.more_rbsp_data():
        return False, False
    transform_8x8 = bits.flag("transform_8x8_mode_flag")
    if scaling_matrix := bits.flag("pic_scaling_matrix_present_flag"):
        _read_scaling_matrix(bits, 6 + (2 if chroma_format_idc != 3 else 6) * transform_8x8)
    bits.se("second_chroma_qp_index_offset", -12)
    return transform_8x8, scaling_matrix
