"""Video usability information of H.264: what a sequence parameter set tells about display.

The tables of Annex E, in their order. Only what a recorder uses is kept: the timing of pictures
and how far they are out of order.
"""

from dataclasses import dataclass

from axis_nvr.wire.bits import BitReader
from axis_nvr.wire.vui import MAX_CPB_COUNT, Display, read_display

#: Frames that may wait for an earlier one (H.264 §E.2.1: no more than the DPB holds).
MAX_REORDER_FRAMES = 16


@dataclass(frozen=True, slots=True)
class H264Usability:
    """What the VUI of an H.264 sequence parameter set tells.

    :param display: how samples are to be shown.
    :param num_units_in_tick: see `time_scale`; 0 where no timing is told.
    :param time_scale: ticks of `num_units_in_tick` units; one *field* lasts one tick.
    :param fixed_frame_rate: the distance of pictures does not vary.
    :param pic_struct_present: picture timing SEI tells how each picture is shown.
    :param max_num_reorder_frames: frames that come before one to be shown earlier; None if the
        VUI does not tell.
    :param max_dec_frame_buffering: frames that a decoder must hold; None likewise.
    """

    display: Display
    num_units_in_tick: int
    time_scale: int
    fixed_frame_rate: bool
    pic_struct_present: bool
    max_num_reorder_frames: int | None
    max_dec_frame_buffering: int | None


def read_vui(bits: BitReader) -> H264Usability:
    """Read ``vui_parameters()``.

    :raises WireError: cut off or out of range.

    Source: H.264 §E.1.1.
    """
    display = read_display(bits)
    num_units_in_tick, time_scale, fixed_frame_rate = _read_timing(bits)
    if nal_hrd := bits.flag("nal_hrd_parameters_present_flag"):
        _read_hrd(bits)
    if vcl_hrd := bits.flag("vcl_hrd_parameters_present_flag"):
        _read_hrd(bits)
    if nal_hrd or vcl_hrd:
        bits.skip(1, "low_delay_hrd_flag")
    pic_struct_present = bits.flag("pic_struct_present_flag")
    reorder, buffering = _read_bitstream_restriction(bits)
    return H264Usability(
        display,
        num_units_in_tick,
        time_scale,
        fixed_frame_rate,
        pic_struct_present,
        reorder,
        buffering,
    )


def _read_timing(bits: BitReader) -> tuple[int, int, bool]:
    if not bits.flag("timing_info_present_flag"):
        return 0, 0, False
    return (
        bits.u(32, "num_units_in_tick"),
        bits.u(32, "time_scale"),
        bits.flag("fixed_frame_rate_flag"),
    )


def _read_hrd(bits: BitReader) -> None:
    """Go past ``hrd_parameters()``.

    Source: H.264 §E.1.2.
    """
    cpb_count = bits.ue("cpb_cnt_minus1", MAX_CPB_COUNT - 1) + 1
    bits.skip(8, "bit_rate_scale, cpb_size_scale")
    for _ in range(cpb_count):
        bits.ue("bit_rate_value_minus1")
        bits.ue("cpb_size_value_minus1")
        bits.skip(1, "cbr_flag")
    bits.skip(20, "initial_cpb_removal_delay_length_minus1 … time_offset_length")


def _read_bitstream_restriction(bits: BitReader) -> tuple[int | None, int | None]:
    if not bits.flag("bitstream_restriction_flag"):
        return None, None
    bits.skip(1, "motion_vectors_over_pic_boundaries_flag")
    bits.ue("max_bytes_per_pic_denom", 16)
    bits.ue("max_bits_per_mb_denom", 16)
    bits.ue("log2_max_mv_length_horizontal", 16)
    bits.ue("log2_max_mv_length_vertical", 16)
    return (
        bits.ue("max_num_reorder_frames", MAX_REORDER_FRAMES),
        bits.ue("max_dec_frame_buffering", MAX_REORDER_FRAMES),
    )
