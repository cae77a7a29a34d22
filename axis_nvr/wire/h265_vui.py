"""Video usability information of H.265: what a sequence parameter set tells about display.

The tables of Annex E, in their order. Only what a recorder uses is kept.
"""

from dataclasses import dataclass

from axis_nvr.wire.bits import BitReader
from axis_nvr.wire.vui import MAX_CPB_COUNT, Display, read_display

#: ``min_spatial_segmentation_idc`` (H.265 §E.3.1).
MAX_SPATIAL_SEGMENTATION = 4095


@dataclass(frozen=True, slots=True)
class H265Usability:
    """What the VUI of an H.265 sequence parameter set tells.

    :param display: how samples are to be shown.
    :param field_sequence: each picture is one field.
    :param display_window: chroma units cut off for display at the left, right, top and bottom;
        decoders give the whole picture nevertheless, so sizes do not take it into account.
    :param num_units_in_tick: see `time_scale`; 0 where no timing is told.
    :param time_scale: ticks of `num_units_in_tick` units; one picture lasts one tick.
    :param min_spatial_segmentation: ``min_spatial_segmentation_idc``, for ``hvcC``.
    """

    display: Display
    field_sequence: bool
    display_window: tuple[int, int, int, int]
    num_units_in_tick: int
    time_scale: int
    min_spatial_segmentation: int


def read_vui(bits: BitReader, max_sub_layers: int) -> H265Usability:
    """Read ``vui_parameters()``.

    :raises WireError: cut off or out of range.

    Source: H.265 §E.2.1.
    """
    display = read_display(bits)
    bits.skip(1, "neutral_chroma_indication_flag")
    field_sequence = bits.flag("field_seq_flag")
    bits.skip(1, "frame_field_info_present_flag")
    display_window = read_window(bits)
    num_units_in_tick, time_scale = 0, 0
    if bits.flag("vui_timing_info_present_flag"):
        num_units_in_tick, time_scale = read_timing(bits)
        if bits.flag("vui_hrd_parameters_present_flag"):
            _read_hrd(bits, max_sub_layers)
    return H265Usability(
        display,
        field_sequence,
        display_window,
        num_units_in_tick,
        time_scale,
        _read_bitstream_restriction(bits),
    )


def read_window(bits: BitReader) -> tuple[int, int, int, int]:
    """Read a flag and the offsets it announces: of the conformance or default display window.

    :returns: left, right, top, bottom in chroma units; zeros without a window.
    """
    if not bits.flag("window flag"):
        return 0, 0, 0, 0
    return (
        bits.ue("win_left_offset"),
        bits.ue("win_right_offset"),
        bits.ue("win_top_offset"),
        bits.ue("win_bottom_offset"),
    )


def read_timing(bits: BitReader) -> tuple[int, int]:
    """Read the timing of pictures, as it stands in the VPS and in the VUI.

    :returns: num_units_in_tick and time_scale.
    """
    num_units_in_tick = bits.u(32, "num_units_in_tick")
    time_scale = bits.u(32, "time_scale")
    if bits.flag("poc_proportional_to_timing_flag"):
        bits.ue("num_ticks_poc_diff_one_minus1")
    return num_units_in_tick, time_scale


def _read_hrd(bits: BitReader, max_sub_layers: int) -> None:
    """Go past ``hrd_parameters(1, max_sub_layers - 1)``.

    Source: H.265 §E.2.2.
    """
    nal_hrd = bits.flag("nal_hrd_parameters_present_flag")
    vcl_hrd = bits.flag("vcl_hrd_parameters_present_flag")
    sub_pic = False
    if nal_hrd or vcl_hrd:
        if sub_pic := bits.flag("sub_pic_hrd_params_present_flag"):
            bits.skip(19, "tick_divisor_minus2 … dpb_output_delay_du_length_minus1")
        bits.skip(8, "bit_rate_scale, cpb_size_scale")
        bits.skip(4 * sub_pic, "cpb_size_du_scale")
        bits.skip(15, "initial_cpb_removal_delay_length_minus1 … dpb_output_delay_length_minus1")
    for _ in range(max_sub_layers):
        _read_sub_layer_hrd(bits, nal_hrd + vcl_hrd, sub_pic)


def _read_sub_layer_hrd(bits: BitReader, kinds: int, sub_pic: bool) -> None:
    """Go past the HRD parameters of one sub-layer.

    :param kinds: how many times the buffers are listed: for NAL, for VCL.

    Source: H.265 §E.2.2 (the loop), §E.2.3.
    """
    fixed_rate = bits.flag("fixed_pic_rate_general_flag")
    fixed_rate = fixed_rate or bits.flag("fixed_pic_rate_within_cvs_flag")
    low_delay = False
    if fixed_rate:
        bits.ue("elemental_duration_in_tc_minus1", 2047)
    else:
        low_delay = bits.flag("low_delay_hrd_flag")
    cpb_count = 1 if low_delay else bits.ue("cpb_cnt_minus1", MAX_CPB_COUNT - 1) + 1
    for _ in range(kinds * cpb_count):
        bits.ue("bit_rate_value_minus1")
        bits.ue("cpb_size_value_minus1")
        if sub_pic:
            bits.ue("cpb_size_du_value_minus1")
            bits.ue("bit_rate_du_value_minus1")
        bits.skip(1, "cbr_flag")


def _read_bitstream_restriction(bits: BitReader) -> int:
    """Read up to ``min_spatial_segmentation_idc``, the last thing of use in a set."""
    if not bits.flag("bitstream_restriction_flag"):
        return 0
    bits.skip(3, "tiles_fixed_structure_flag … restricted_ref_pic_lists_flag")
    return bits.ue("min_spatial_segmentation_idc", MAX_SPATIAL_SEGMENTATION)
