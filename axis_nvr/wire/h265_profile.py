"""Profile, tier and level of H.265, in the twelve bytes that VPS, SPS and ``hvcC`` share.

::

    profile_space 2 | tier 1 | profile_idc 5 | compatibility 32 | constraints 48 | level_idc 8
    and, for each sub-layer but the highest: two flags, then as much as they announce
"""

from dataclasses import dataclass

from axis_nvr.wire.bits import BitReader

#: Temporal sub-layers of a stream (H.265 §7.4.3.1: 0 to 6, and one more).
MAX_SUB_LAYERS = 7


@dataclass(frozen=True, slots=True)
class ProfileTierLevel:
    """What a decoder must be able to do.

    :param profile_space: 0.
    :param high_tier: `general_tier_flag`: the high tier of bit rates.
    :param profile_idc: 1 main, 2 main 10, 3 still picture, 4 range extensions, …
    :param compatibility: 32 flags, that of profile 0 on top.
    :param constraints: 48 bits: progressive, interlaced, non-packed, frame-only, then 44 whose
        meaning depends on the profile.
    :param level_idc: thirty times the level.
    """

    profile_space: int
    high_tier: bool
    profile_idc: int
    compatibility: int
    constraints: int
    level_idc: int


def read_profile_tier_level(bits: BitReader, max_sub_layers: int) -> ProfileTierLevel:
    """Read ``profile_tier_level(1, max_sub_layers - 1)``.

    :raises WireError: cut off.

    Source: H.265 §7.3.3.
    """
    general = ProfileTierLevel(
        bits.u(2, "general_profile_space"),
        bits.flag("general_tier_flag"),
        bits.u(5, "general_profile_idc"),
        bits.u(32, "general_profile_compatibility_flag"),
        bits.u(48, "general constraint flags"),
        bits.u(8, "general_level_idc"),
    )
    if max_sub_layers > 1:
        _skip_sub_layers(bits, max_sub_layers - 1)
    return general


def _skip_sub_layers(bits: BitReader, count: int) -> None:
    """Go past the sub-layers: eight pairs of flags, then what `count` of them announce."""
    present = [
        (bits.flag("sub_layer_profile_present_flag"), bits.flag("sub_layer_level_present_flag"))
        for _ in range(8)
    ][:count]
    for profile, level in present:
        bits.skip(88 * profile + 8 * level, "sub-layer profile and level")
