"""The tracks of a camera's stream: what each media section of an SDP offers.

No media section spoils the others: one that cannot be read, or is coded in an unknown way, becomes
a track without codec, to be ignored.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from axis_nvr.media.units import Codec
from axis_nvr.session.control_urls import control_url
from axis_nvr.wire.sdp import MediaDescription, RtpMap, SessionDescription, attribute

#: A declared frame rate above this is not believed, in pictures a second.
MAX_FRAME_RATE = 1_000

#: A declared clock rate above this is not believed, in Hz.
MAX_CLOCK_RATE = 10_000_000

#: More channels than these are not believed.
MAX_CHANNELS = 64

#: The clock of a track whose clock rate is missing or nonsense, in Hz, by kind.
DEFAULT_CLOCK_RATES = {"audio": 8_000}
DEFAULT_CLOCK_RATE = 90_000

#: Encoding names (upper case) of what is understood.
CODECS = {
    "H264": Codec.H264,  # RFC 6184
    "H265": Codec.H265,  # RFC 7798
    "JPEG": Codec.JPEG,  # RFC 2435
    "MPEG4-GENERIC": Codec.AAC,  # RFC 3640
    "MP4A-LATM": Codec.AAC,  # RFC 6416
    "PCMU": Codec.PCMU,  # RFC 3551 §4.5.14
    "PCMA": Codec.PCMA,
    "L16": Codec.L16,  # RFC 3551 §4.5.11
    "PCM": Codec.L16,  # Hikvision: ``a=rtpmap:11 PCM/48000``
    "G726-16": Codec.G726,  # RFC 3551 §4.5.4, packed from the low end
    "G726-24": Codec.G726,
    "G726-32": Codec.G726,
    "G726-40": Codec.G726,
    "AAL2-G726-16": Codec.G726,  # the same, packed from the high end
    "AAL2-G726-24": Codec.G726,
    "AAL2-G726-32": Codec.G726,
    "AAL2-G726-40": Codec.G726,
    "OPUS": Codec.OPUS,  # RFC 7587
    "VND.ONVIF.METADATA": Codec.ONVIF_METADATA,  # ONVIF Streaming §5.2.1.1
}

#: Payload types that need no rtpmap (RFC 3551 §6). An rtpmap for one of them wins all the same:
#: Bosch sends H.264 as 35, Hikvision PCM of any rate as 11.
STATIC_PAYLOAD_TYPES = {
    0: RtpMap("PCMU", 8_000, 1),
    2: RtpMap("G726-32", 8_000, 1),
    3: RtpMap("GSM", 8_000, 1),
    4: RtpMap("G723", 8_000, 1),
    5: RtpMap("DVI4", 8_000, 1),
    8: RtpMap("PCMA", 8_000, 1),
    9: RtpMap("G722", 8_000, 1),
    10: RtpMap("L16", 44_100, 2),
    11: RtpMap("L16", 44_100, 1),
    14: RtpMap("MPA", 90_000, 1),
    26: RtpMap("JPEG", 90_000, 1),
    32: RtpMap("MPV", 90_000, 1),
    33: RtpMap("MP2T", 90_000, 1),
    34: RtpMap("H263", 90_000, 1),
}

_DECIMAL = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,9})?")


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


def describe_tracks(session: SessionDescription, content_base: str) -> list[TrackDescription]:
    """Tell what each media section offers.

    :param content_base: what control attributes are relative to, an absolute URL: see
        `axis_nvr.session.control_urls.base_url`.
    :returns: one track for each section, in order.
    """
    tracks: list[TrackDescription] = []
    for index, media in enumerate(session.media):
        back = media.kind == "audio" and any(t.kind == "audio" for t in tracks)
        is_back_channel = back and attribute(media.attributes, "sendonly") is not None
        tracks.append(_describe(index, media, content_base, is_back_channel))
    return tracks


def _describe(
    index: int, media: MediaDescription, base: str, is_back_channel: bool
) -> TrackDescription:
    """Describe one section by the first of its payload types that is understood.

    A second audio section that is ``sendonly`` is the way to the camera's loudspeaker, described
    in our terms (ONVIF Streaming §5.3); Dahua announces it unasked. It is none of ours.
    """
    payload_type, rtpmap = -1, RtpMap("", 0, 1)
    codec = None
    for candidate in media.payload_types:
        offered = media.rtpmap_of(candidate) or STATIC_PAYLOAD_TYPES.get(candidate)
        understood = _codec(offered, media.fmtp_of(candidate)) if offered else None
        if payload_type < 0 or understood:
            payload_type, rtpmap, codec = candidate, offered or rtpmap, understood
        if understood:
            break
    return TrackDescription(
        index=index,
        kind=media.kind,
        codec=None if is_back_channel else codec,
        payload_type=payload_type,
        clock_rate=_clock_rate(media.kind, payload_type, rtpmap),
        channels=rtpmap.channels if 0 < rtpmap.channels <= MAX_CHANNELS else 1,
        fmtp=media.fmtp_of(payload_type),
        control=control_url(base, media.control),
        frame_rate=_frame_rate(media),
        encoding_name=rtpmap.encoding_name.upper(),
    )


def _codec(rtpmap: RtpMap, fmtp: Mapping[str, str]) -> Codec | None:
    codec = CODECS.get(rtpmap.encoding_name.upper())
    mode = fmtp.get("mode", "").upper()
    if codec is Codec.AAC and mode and not mode.startswith("AAC"):
        return None  # MPEG4-GENERIC also carries CELP and worse (RFC 3640 §4.1)
    return codec


def _clock_rate(kind: str, payload_type: int, rtpmap: RtpMap) -> int:
    if 0 < rtpmap.clock_rate <= MAX_CLOCK_RATE:
        return rtpmap.clock_rate
    if (registered := STATIC_PAYLOAD_TYPES.get(payload_type)) is not None:
        return registered.clock_rate
    return DEFAULT_CLOCK_RATES.get(kind, DEFAULT_CLOCK_RATE)


def _frame_rate(media: MediaDescription) -> Fraction | None:
    """The declared frame rate; ``a=framerate:0S`` may stand before the true one (Uniview)."""
    for name, value in media.attributes:
        if name in ("framerate", "x-framerate") and value and _DECIMAL.fullmatch(value.strip()):
            rate = Fraction(value.strip())
            if 0 < rate <= MAX_FRAME_RATE:
                return rate
    return None
