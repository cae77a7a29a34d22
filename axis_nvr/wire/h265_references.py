"""What stands between the size and the VUI of an H.265 sequence parameter set.

Scaling lists and sets of reference pictures mean nothing to a recorder, but their length is not
told: to find the frame rate behind them they must be read. The sets of reference pictures are
predicted from one another, so they are even worked out.
"""

from typing import NamedTuple

from axis_nvr.wire.bits import BitReader

#: ``num_short_term_ref_pic_sets`` (H.265 §7.4.3.2.1).
MAX_SHORT_TERM_SETS = 64
#: ``num_long_term_ref_pics_sps`` (H.265 §7.4.3.2.1).
MAX_LONG_TERM_PICTURES = 32
#: Pictures in one set (H.265 §A.4.2: MaxDpbSize).
MAX_DPB_PICTURES = 16
#: Distance of two pictures in a set, less one (H.265 §7.4.8).
MAX_DELTA_POC_MINUS1 = 2**15 - 1


class ShortTermSet(NamedTuple):
    """Reference pictures as distances in picture order from the current one.

    :ivar negative: those shown before, the nearest first.
    :ivar positive: those shown after, the nearest first.
    """

    negative: tuple[int, ...]
    positive: tuple[int, ...]


def read_scaling_list_data(bits: BitReader) -> None:
    """Go past ``scaling_list_data()``.

    Source: H.265 §7.3.4.
    """
    for size_id in range(4):
        for _ in range(2 if size_id == 3 else 6):
            if not bits.flag("scaling_list_pred_mode_flag"):
                bits.ue("scaling_list_pred_matrix_id_delta", 5)
                continue
            if size_id > 1:
                bits.se("scaling_list_dc_coef_minus8", -7, 247)
            for _ in range(min(64, 16 << 2 * size_id)):
                bits.se("scaling_list_delta_coef", -128, 127)


def read_short_term_sets(bits: BitReader) -> list[ShortTermSet]:
    """Read how many sets there are, and each.

    :raises WireError: cut off or out of range.

    Source: H.265 §7.3.2.2.1.
    """
    sets: list[ShortTermSet] = []
    for _ in range(bits.ue("num_short_term_ref_pic_sets", MAX_SHORT_TERM_SETS)):
        if sets and bits.flag("inter_ref_pic_set_prediction_flag"):
            sets.append(_read_predicted_set(bits, sets[-1]))
        else:
            sets.append(_read_explicit_set(bits))
    return sets


def _read_predicted_set(bits: BitReader, reference: ShortTermSet) -> ShortTermSet:
    """Read a set as a shifted selection of the one before it.

    Source: H.265 §7.3.7, equations 7-61 and 7-62.
    """
    sign = -1 if bits.flag("delta_rps_sign") else 1
    shift = sign * (bits.ue("abs_delta_rps_minus1", MAX_DELTA_POC_MINUS1) + 1)
    shifted = []
    for distance in (*reference.negative, *reference.positive, 0):
        used = bits.flag("used_by_curr_pic_flag")
        if used or bits.flag("use_delta_flag"):
            shifted.append(distance + shift)
    negative = sorted((d for d in shifted if d < 0), reverse=True)
    positive = sorted(d for d in shifted if d > 0)
    if len(negative) + len(positive) > MAX_DPB_PICTURES:
        raise bits.error(f"a set of more than {MAX_DPB_PICTURES} reference pictures")
    return ShortTermSet(tuple(negative), tuple(positive))


def _read_explicit_set(bits: BitReader) -> ShortTermSet:
    negative_count = bits.ue("num_negative_pics", MAX_DPB_PICTURES)
    positive_count = bits.ue("num_positive_pics", MAX_DPB_PICTURES - negative_count)
    return ShortTermSet(
        tuple(-d for d in _read_distances(bits, negative_count)),
        tuple(_read_distances(bits, positive_count)),
    )


def _read_distances(bits: BitReader, count: int) -> list[int]:
    distances = []
    distance = 0
    for _ in range(count):
        distance += bits.ue("delta_poc_minus1", MAX_DELTA_POC_MINUS1) + 1
        bits.skip(1, "used_by_curr_pic_flag")
        distances.append(distance)
    return distances


def read_long_term_pictures(bits: BitReader, poc_lsb_bits: int) -> None:
    """Go past the long-term reference pictures.

    :param poc_lsb_bits: ``log2_max_pic_order_cnt_lsb_minus4`` + 4.

    Source: H.265 §7.3.2.2.1.
    """
    if not bits.flag("long_term_ref_pics_present_flag"):
        return
    count = bits.ue("num_long_term_ref_pics_sps", MAX_LONG_TERM_PICTURES)
    bits.skip(count * (poc_lsb_bits + 1), "lt_ref_pic_poc_lsb_sps")
