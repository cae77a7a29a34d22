"""Video usability information: the beginning that H.264 and H.265 share, word by word.

::

    aspect_ratio_info_present_flag    aspect_ratio_idc 8, of 255: sar_width 16, sar_height 16
    overscan_info_present_flag        overscan_appropriate_flag
    video_signal_type_present_flag    video_format 3, video_full_range_flag,
                                      colour_description_present_flag: three bytes
    chroma_loc_info_present_flag      two ue(v)

What follows is each one's own: `axis_nvr.wire.h264_vui`, `axis_nvr.wire.h265_vui`.

Source: H.264 §E.1.1, H.265 §E.2.1.
"""

from typing import NamedTuple

from axis_nvr.wire.bits import BitReader

#: Coded picture buffers described in one set of HRD parameters (H.264 §E.2.2, H.265 §E.3.2).
MAX_CPB_COUNT = 32
#: ``aspect_ratio_idc`` with which width and height follow (H.264 Table E-1, H.265 Table E.1).
EXTENDED_SAR = 255


class Display(NamedTuple):
    """How samples are to be shown.

    :param sample_aspect_ratio: ``aspect_ratio_idc`` and, where that is `EXTENDED_SAR`, width and
        height of a sample; else 0, 0.
    :param full_range: ``video_full_range_flag``.
    """

    sample_aspect_ratio: tuple[int, int, int]
    full_range: bool


def read_display(bits: BitReader) -> Display:
    """Read the beginning of ``vui_parameters()``, up to where chroma samples lie.

    :raises WireError: cut off or out of range.
    """
    sample_aspect_ratio = _read_aspect_ratio(bits)
    if bits.flag("overscan_info_present_flag"):
        bits.skip(1, "overscan_appropriate_flag")
    full_range = _read_video_signal_type(bits)
    if bits.flag("chroma_loc_info_present_flag"):
        bits.ue("chroma_sample_loc_type_top_field", 5)
        bits.ue("chroma_sample_loc_type_bottom_field", 5)
    return Display(sample_aspect_ratio, full_range)


def _read_aspect_ratio(bits: BitReader) -> tuple[int, int, int]:
    if not bits.flag("aspect_ratio_info_present_flag"):
        return 0, 0, 0
    aspect_ratio_idc = bits.u(8, "aspect_ratio_idc")
    if aspect_ratio_idc != EXTENDED_SAR:
        return aspect_ratio_idc, 0, 0
    return aspect_ratio_idc, bits.u(16, "sar_width"), bits.u(16, "sar_height")


def _read_video_signal_type(bits: BitReader) -> bool:
    if not bits.flag("video_signal_type_present_flag"):
        return False
    bits.skip(3, "video_format")
    full_range = bits.flag("video_full_range_flag")
    if bits.flag("colour_description_present_flag"):
        bits.skip(24, "colour_primaries, transfer_characteristics, matrix_coefficients")
    return full_range
