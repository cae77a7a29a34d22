"""The tracks of a camera's stream: what each media section of an SDP offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from axis_nvr.media.units import Codec


@dataclass(frozen=True, slots=True)
class TrackDescription:
    """One track as the camera announced it.

    :param index: its place among the media sections, from 0; ignored ones count too.
    :param kind: ``video``, ``audio``, ``application`` or what else the camera says, lower case.
    :param codec: how it is coded; None if it is not understood and is to be ignored.
    :param payload_type: 0 to 127; -1 if the section names none.
    :param clock_rate: ticks of the RTP timestamp in a second.
    :param channels: of audio; 1 otherwise.
    :param fmtp: format parameters, names in lower case, values as sent.
    :param control: the absolute URL to set it up.
    :param frame_rate: pictures a second as declared (often not what is delivered), or None.
    :param encoding_name: of the rtpmap, upper case, such as ``MP4A-LATM``; of static payload
        types their registered name; empty if unknown.
    """

    index: int
    kind: str
    codec: Codec | None
    payload_type: int
    clock_rate: int
    channels: int
    fmtp: Mapping[str, str]
    control: str
    frame_rate: Fraction | None = None
    encoding_name: str = ""
