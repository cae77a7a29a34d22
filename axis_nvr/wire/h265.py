"""H.265 parameter sets: how large the pictures are, how they are coded and how many come.

::

    video parameter set      header 40 01 | …
    sequence parameter set   header 42 01 | …
    picture parameter set    header 44 01 | …

One function stands for one syntax table or a part of it, in the order of the specification. What
a decoder configuration record needs stands in the first third of an SPS; the rest is read for
the frame rate alone, and where it cannot be read there is none.

Only the base layer is known: sets with ``nuh_layer_id`` above 0 are refused.
"""

from dataclasses import dataclass
from fractions import Fraction

from axis_nvr.errors import WireError
from axis_nvr.wire.bits import BitReader
from axis_nvr.wire.h265_profile import MAX_SUB_LAYERS, ProfileTierLevel, read_profile_tier_level
from axis_nvr.wire.h265_references import (
    MAX_DPB_PICTURES,
    read_long_term_pictures,
    read_scaling_list_data,
    read_short_term_sets,
)
from axis_nvr.wire.h265_vui import H265Usability, read_timing, read_vui, read_window
from axis_nvr.wire.nal import (
    H265_NAL_HEADER,
    MAX_PARAMETER_SET_BYTES,
    H265NalType,
    h265_nal_type,
    unescape,
)
from axis_nvr.wire.picture import (
    CHROMA_SUBSAMPLING,
    MAX_PICTURE_SIDE,
    CodedPicture,
    believable_rate,
    crop_within,
)

#: Sequence parameter sets with different ids (H.265 §7.4.3.2.1).
MAX_SPS_COUNT = 16
#: Picture parameter sets with different ids (H.265 §7.4.3.3.1).
MAX_PPS_COUNT = 64
#: Layer sets of a video parameter set (H.265 §7.4.3.1).
MAX_LAYER_SETS = 1024
_VPS_SOURCE = "H.265 §7.3.2.1"
_SPS_SOURCE = "H.265 §7.3.2.2.1"
_PPS_SOURCE = "H.265 §7.3.2.3.1"


@dataclass(frozen=True, slots=True)
class H265Vps:
    """An H.265 video parameter set.

    :param vps_id: ``vps_video_parameter_set_id``.
    :param max_sub_layers: temporal sub-layers.
    :param temporal_id_nested: ``vps_temporal_id_nesting_flag``.
    :param profile: profile, tier and level.
    :param num_units_in_tick: see `time_scale`; 0 where no timing is told.
    :param time_scale: ticks of `num_units_in_tick` units; one picture lasts one tick.
    """

    vps_id: int
    max_sub_layers: int
    temporal_id_nested: bool
    profile: ProfileTierLevel
    num_units_in_tick: int
    time_scale: int

    @property
    def frame_rate(self) -> Fraction | None:
        """Pictures a second, for a sequence parameter set that tells none; or None."""
        return believable_rate(self.time_scale, self.num_units_in_tick)


@dataclass(frozen=True, slots=True)
class H265Sps(CodedPicture):
    """An H.265 sequence parameter set. What crops it is the conformance window.

    :param sps_id: ``sps_seq_parameter_set_id``.
    :param vps_id: the video parameter set it refers to.
    :param max_sub_layers: temporal sub-layers.
    :param temporal_id_nested: ``sps_temporal_id_nesting_flag``.
    :param profile: profile, tier and level.
    :param max_num_reorder_frames: ``sps_max_num_reorder_pics`` of the highest sub-layer: pictures
        that come before one to be shown earlier. A hint: cameras send B frames though they
        say 0.
    :param vui: None where there is none or where it cannot be read.
    """

    sps_id: int
    vps_id: int
    max_sub_layers: int
    temporal_id_nested: bool
    profile: ProfileTierLevel
    max_num_reorder_frames: int
    vui: H265Usability | None

    @property
    def frame_rate(self) -> Fraction | None:
        """Pictures a second as the VUI tells, or None."""
        if self.vui is None:
            return None
        return believable_rate(self.vui.time_scale, self.vui.num_units_in_tick)


@dataclass(frozen=True, slots=True)
class H265Pps:
    """The beginning of an H.265 picture parameter set, up to what ``hvcC`` needs.

    :param pps_id: ``pps_pic_parameter_set_id``.
    :param sps_id: the sequence parameter set it refers to.
    :param tiles: ``tiles_enabled_flag``.
    :param wavefront: ``entropy_coding_sync_enabled_flag``.
    """

    pps_id: int
    sps_id: int
    tiles: bool
    wavefront: bool


def _open_set(nal: bytes, expected: H265NalType, source: str) -> BitReader:
    if not 2 < len(nal) <= MAX_PARAMETER_SET_BYTES or h265_nal_type(nal) != expected:
        shown = nal[:2].hex() or "nothing"
        raise WireError(f"no {expected.name}: {shown}, {len(nal)} bytes", offset=0, source=source)
    header = H265_NAL_HEADER.parse(bytes([nal[0] & 0x7F, nal[1]]))
    if header.nuh_layer_id:
        raise WireError(f"{expected.name} of layer {header.nuh_layer_id}", offset=0, source=source)
    bits = BitReader(unescape(nal), source)
    bits.skip(16, "NAL header")
    return bits


def parse_vps(nal: bytes) -> H265Vps:
    """Read a video parameter set up to its timing.

    :param nal: the NAL unit with its header, as it came (with emulation prevention).
    :raises WireError: another NAL unit, cut off before the timing, or out of range.

    Source: H.265 §7.3.2.1.
    """
    bits = _open_set(nal, H265NalType.VPS, _VPS_SOURCE)
    vps_id = bits.u(4, "vps_video_parameter_set_id")
    bits.skip(2, "vps_base_layer_internal_flag, vps_base_layer_available_flag")
    bits.skip(6, "vps_max_layers_minus1")
    max_sub_layers = _read_max_sub_layers(bits)
    temporal_id_nested = bits.flag("vps_temporal_id_nesting_flag")
    bits.skip(16, "vps_reserved_0xffff_16bits")
    profile = read_profile_tier_level(bits, max_sub_layers)
    try:
        num_units_in_tick, time_scale = _read_vps_timing(bits, max_sub_layers)
    except WireError:  # the rest is of no use here
        num_units_in_tick, time_scale = 0, 0
    return H265Vps(
        vps_id, max_sub_layers, temporal_id_nested, profile, num_units_in_tick, time_scale
    )


def _read_max_sub_layers(bits: BitReader) -> int:
    max_sub_layers = bits.u(3, "max_sub_layers_minus1") + 1
    if max_sub_layers > MAX_SUB_LAYERS:
        raise bits.error(f"{max_sub_layers} sub-layers, at most {MAX_SUB_LAYERS} allowed")
    return max_sub_layers


def _read_vps_timing(bits: BitReader, max_sub_layers: int) -> tuple[int, int]:
    _read_sub_layer_ordering(bits, max_sub_layers)
    max_layer_id = bits.u(6, "vps_max_layer_id")
    layer_sets = bits.ue("vps_num_layer_sets_minus1", MAX_LAYER_SETS - 1)
    bits.skip(layer_sets * (max_layer_id + 1), "layer_id_included_flag")
    return read_timing(bits) if bits.flag("vps_timing_info_present_flag") else (0, 0)


def _read_sub_layer_ordering(bits: BitReader, max_sub_layers: int) -> int:
    """Read the sizes of the picture buffer.

    :returns: pictures out of order in the highest sub-layer.
    """
    reorder = 0
    present = bits.flag("sub_layer_ordering_info_present_flag")
    for _ in range(max_sub_layers if present else 1):
        buffering = bits.ue("max_dec_pic_buffering_minus1", MAX_DPB_PICTURES - 1)
        reorder = bits.ue("max_num_reorder_pics", buffering)
        bits.ue("max_latency_increase_plus1")
    return reorder


def parse_sps(nal: bytes) -> H265Sps:
    """Read a sequence parameter set.

    :param nal: the NAL unit with its header, as it came (with emulation prevention).
    :raises WireError: another NAL unit, cut off before the coding tools, or out of range.

    Source: H.265 §7.3.2.2.1.
    """
    bits = _open_set(nal, H265NalType.SPS, _SPS_SOURCE)
    vps_id = bits.u(4, "sps_video_parameter_set_id")
    max_sub_layers = _read_max_sub_layers(bits)
    temporal_id_nested = bits.flag("sps_temporal_id_nesting_flag")
    profile = read_profile_tier_level(bits, max_sub_layers)
    sps_id = bits.ue("sps_seq_parameter_set_id", MAX_SPS_COUNT - 1)
    chroma_format_idc = bits.ue("chroma_format_idc", 3)
    separate_planes = chroma_format_idc == 3 and bits.flag("separate_colour_plane_flag")
    width = _read_side(bits, "pic_width_in_luma_samples")
    height = _read_side(bits, "pic_height_in_luma_samples")
    chroma_array_type = 0 if separate_planes else chroma_format_idc
    crop = crop_within(width, height, read_window(bits), *CHROMA_SUBSAMPLING[chroma_array_type])
    depth_luma = bits.ue("bit_depth_luma_minus8", 8) + 8
    depth_chroma = bits.ue("bit_depth_chroma_minus8", 8) + 8
    poc_lsb_bits = bits.ue("log2_max_pic_order_cnt_lsb_minus4", 12) + 4
    return H265Sps(
        sps_id=sps_id,
        vps_id=vps_id,
        max_sub_layers=max_sub_layers,
        temporal_id_nested=temporal_id_nested,
        profile=profile,
        chroma_format_idc=chroma_format_idc,
        separate_colour_planes=separate_planes,
        bit_depth_luma=depth_luma,
        bit_depth_chroma=depth_chroma,
        coded_width=width,
        coded_height=height,
        crop=crop,
        max_num_reorder_frames=_read_sub_layer_ordering(bits, max_sub_layers),
        vui=_read_optional_vui(bits, poc_lsb_bits, max_sub_layers),
    )


def _read_side(bits: BitReader, name: str) -> int:
    side = bits.ue(name, MAX_PICTURE_SIDE)
    if side == 0:
        raise bits.error(f"{name} is 0")
    return side


def _read_optional_vui(
    bits: BitReader, poc_lsb_bits: int, max_sub_layers: int
) -> H265Usability | None:
    """Read the VUI, or none: all that recording needs stands before it."""
    try:
        _read_coding_tools(bits)
        read_short_term_sets(bits)
        read_long_term_pictures(bits, poc_lsb_bits)
        bits.skip(2, "sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag")
        return read_vui(bits, max_sub_layers) if bits.flag("vui_parameters_present_flag") else None
    except WireError:
        return None


def _read_coding_tools(bits: BitReader) -> None:
    bits.ue("log2_min_luma_coding_block_size_minus3", 3)
    bits.ue("log2_diff_max_min_luma_coding_block_size", 3)
    bits.ue("log2_min_luma_transform_block_size_minus2", 3)
    bits.ue("log2_diff_max_min_luma_transform_block_size", 3)
    bits.ue("max_transform_hierarchy_depth_inter", 4)
    bits.ue("max_transform_hierarchy_depth_intra", 4)
    if bits.flag("scaling_list_enabled_flag") and bits.flag("sps_scaling_list_data_present_flag"):
        read_scaling_list_data(bits)
    bits.skip(2, "amp_enabled_flag, sample_adaptive_offset_enabled_flag")
    if bits.flag("pcm_enabled_flag"):
        bits.skip(8, "pcm_sample_bit_depth_luma_minus1, pcm_sample_bit_depth_chroma_minus1")
        bits.ue("log2_min_pcm_luma_coding_block_size_minus3", 2)
        bits.ue("log2_diff_max_min_pcm_luma_coding_block_size", 2)
        bits.skip(1, "pcm_loop_filter_disabled_flag")


def parse_pps(nal: bytes) -> H265Pps:
    """Read the beginning of a picture parameter set.

    Tiles, scaling lists (Reolink has them) and extensions stand behind it and are not looked at.

    :param nal: the NAL unit with its header, as it came (with emulation prevention).
    :raises WireError: another NAL unit, cut off, or out of range.

    Source: H.265 §7.3.2.3.1.
    """
    bits = _open_set(nal, H265NalType.PPS, _PPS_SOURCE)
    pps_id = bits.ue("pps_pic_parameter_set_id", MAX_PPS_COUNT - 1)
    sps_id = bits.ue("pps_seq_parameter_set_id", MAX_SPS_COUNT - 1)
    bits.skip(2, "dependent_slice_segments_enabled_flag, output_flag_present_flag")
    bits.skip(5, "num_extra_slice_header_bits … cabac_init_present_flag")
    bits.ue("num_ref_idx_l0_default_active_minus1", 14)
    bits.ue("num_ref_idx_l1_default_active_minus1", 14)
    bits.se("init_qp_minus26", -74, 25)  # from -(26 + QpBdOffset), of 16 bits 48
    bits.skip(2, "constrained_intra_pred_flag, transform_skip_enabled_flag")
    if bits.flag("cu_qp_delta_enabled_flag"):
        bits.ue("diff_cu_qp_delta_depth", 3)
    bits.se("pps_cb_qp_offset", -12)
    bits.se("pps_cr_qp_offset", -12)
    bits.skip(4, "pps_slice_chroma_qp_offsets_present_flag … transquant_bypass_enabled_flag")
    return H265Pps(
        pps_id,
        sps_id,
        bits.flag("tiles_enabled_flag"),
        bits.flag("entropy_coding_sync_enabled_flag"),
    )
