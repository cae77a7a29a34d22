"""What the parameter sets of H.264 and H.265 have in common: pictures, their limits and rates."""

from dataclasses import dataclass
from fractions import Fraction

#: Width and height of a picture, in pixels.
MAX_PICTURE_SIDE = 16384
#: Frame rates above this are not believed, in pictures a second.
MAX_FRAME_RATE = 1000
#: SubWidthC and SubHeightC of each ChromaArrayType (H.264 Table 6-1, H.265 Table 6-1).
CHROMA_SUBSAMPLING = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """How a picture is coded, and what of it is shown.

    :param chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    :param separate_colour_planes: 4:4:4 coded as three monochrome pictures.
    :param bit_depth_luma: in bits.
    :param bit_depth_chroma: in bits.
    :param coded_width: in pixels.
    :param coded_height: in pixels; of H.264 always of a frame.
    :param crop: pixels cut off at the left, right, top and bottom.
    """

    chroma_format_idc: int
    separate_colour_planes: bool
    bit_depth_luma: int
    bit_depth_chroma: int
    coded_width: int
    coded_height: int
    crop: tuple[int, int, int, int]

    @property
    def width(self) -> int:
        """In pixels, cropping applied."""
        return self.coded_width - self.crop[0] - self.crop[1]

    @property
    def height(self) -> int:
        """In pixels, cropping applied; of H.265 of a field where each picture is one."""
        return self.coded_height - self.crop[2] - self.crop[3]


def crop_within(
    width: int, height: int, offsets: tuple[int, int, int, int], unit_x: int, unit_y: int
) -> tuple[int, int, int, int]:
    """Turn the offsets of a cropping rectangle into pixels.

    :param offsets: at the left, right, top and bottom, in units of `unit_x` and `unit_y` pixels.
    :returns: zeros if nothing would be left: it is not applied then, as decoders do.
    """
    left, right, top, bottom = offsets
    if unit_x * (left + right) >= width or unit_y * (top + bottom) >= height:
        return 0, 0, 0, 0
    return unit_x * left, unit_x * right, unit_y * top, unit_y * bottom


def believable_rate(time_scale: int, units: int) -> Fraction | None:
    """Turn a stream's own timing into pictures a second.

    :param time_scale: units in a second.
    :param units: units in a picture.
    :returns: None where the stream tells nothing, or nothing that can be.
    """
    if time_scale == 0 or units == 0 or time_scale > MAX_FRAME_RATE * units:
        return None
    return Fraction(time_scale, units)
