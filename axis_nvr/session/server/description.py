"""The description of a presentation, in the form of Axis devices.

::

    v=0
    o=- <number> 1 IN IP4 <server address>
    s=Session streamed with GStreamer
    i=rtsp-server
    t=0 0
    a=tool:GStreamer
    a=type:broadcast
    a=range:npt=now-
    a=control:<URL of the presentation>
    m=video 0 RTP/AVP 96
    c=IN IP4 0.0.0.0
    b=AS:50000
    a=rtpmap:96 H264/90000
    a=fmtp:96 packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=Z2QAK…,aO48sA==
    a=ts-refclk:local
    a=mediaclk:sender
    a=recvonly
    a=control:<URL of the track>
    a=framerate:30.000000
    a=transform:1.0,0,0;0,1.0,0;0,0,1.0
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.wire import nal
from axis_nvr.wire.sdp import Attribute, MediaDescription, Origin, SessionDescription, build_session

#: Payload types in the descriptions of Axis devices.
VIDEO_PAYLOAD_TYPE = 96
AUDIO_PAYLOAD_TYPE = 97
METADATA_PAYLOAD_TYPE = 98
PCMU_PAYLOAD_TYPE = 0
#: Payload types that mean one thing everywhere (RFC 3551 §6).
STATIC_PAYLOAD_TYPES = {"PCMU/8000": PCMU_PAYLOAD_TYPE, "PCMA/8000": 8, "JPEG/90000": 26}

_UPRIGHT = "1.0,0,0;0,1.0,0;0,0,1.0"


@dataclass(frozen=True, slots=True)
class OfferedTrack:
    """One track as it is described.

    :param kind: ``video``, ``audio`` or ``application``.
    :param encoding: name, clock rate and channels, such as ``H264/90000``.
    :param fmtp: format parameters, empty for none.
    :param bandwidth_kbit: kbit/s, 0 for no line.
    :param attributes: lines behind the control URL.
    :param protocol: how it is carried, such as ``RTP/SAVP`` where it is protected.
    """

    kind: str
    payload_type: int
    encoding: str
    fmtp: str = ""
    bandwidth_kbit: int = 0
    attributes: tuple[Attribute, ...] = ()
    protocol: str = "RTP/AVP"

    @property
    def clock_rate(self) -> int:
        """Ticks of the media clock in a second."""
        return int(self.encoding.split("/")[1])


def h264_track(parameter_sets: Sequence[bytes], frame_rate: Fraction | None) -> OfferedTrack:
    """Describe H.264.

    :param parameter_sets: SPS first.
    :param frame_rate: None if it is not known.
    """
    profile = parameter_sets[0][1:4].hex()
    sprop = ",".join(_text(unit) for unit in parameter_sets)
    fmtp = f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sprop}"
    return _video("H264", fmtp, frame_rate)


def h265_track(parameter_sets: Sequence[bytes], frame_rate: Fraction | None) -> OfferedTrack:
    """Describe H.265.

    :param parameter_sets: VPS, SPS and PPS in any order.
    :param frame_rate: None if it is not known.
    """
    names = {
        nal.H265NalType.VPS: "sprop-vps",
        nal.H265NalType.SPS: "sprop-sps",
        nal.H265NalType.PPS: "sprop-pps",
    }
    parts = [
        f"{name}={','.join(_text(u) for u in parameter_sets if nal.h265_nal_type(u) == kind)}"
        for kind, name in names.items()
    ]
    return _video("H265", ";".join(parts), frame_rate)


def jpeg_track(frame_rate: Fraction | None) -> OfferedTrack:
    """Describe Motion JPEG, whose headers tell everything else.

    :param frame_rate: None if it is not known.
    """
    return _video("JPEG", "", frame_rate)


def aac_track(config: bytes, sample_rate: int, channels: int) -> OfferedTrack:
    """Describe AAC in mode AAC-hbr.

    :param config: AudioSpecificConfig.
    """
    fmtp = (
        f"streamtype=5;profile-level-id=2;mode=AAC-hbr;config={config.hex()};sizelength=13;"
        "indexlength=3;indexdeltalength=3;bitrate=32000"
    )
    encoding = f"MPEG4-GENERIC/{sample_rate}/{channels}"
    return OfferedTrack("audio", AUDIO_PAYLOAD_TYPE, encoding, fmtp, 32)


def opus_track(channels: int) -> OfferedTrack:
    """Describe Opus: always 48 kHz and two channels, whatever is in it (RFC 7587 §7).

    :param channels: that there are: 1 or 2.
    """
    fmtp = f"sprop-stereo={int(channels > 1)}"
    return OfferedTrack("audio", AUDIO_PAYLOAD_TYPE, "OPUS/48000/2", fmtp, 64)


def pcmu_track() -> OfferedTrack:
    """Describe G.711 µ-law."""
    return g711_track("PCMU", 8000, 1)


def g711_track(name: str, sample_rate: int, channels: int) -> OfferedTrack:
    """Describe G.711.

    :param name: ``PCMU`` or ``PCMA``.
    """
    return samples_track(name, sample_rate, channels, 8)


def samples_track(name: str, sample_rate: int, channels: int, bits: int) -> OfferedTrack:
    """Describe sound without frames.

    :param name: such as ``L16`` or ``G726-32``.
    :param bits: of a sample.
    """
    encoding = f"{name}/{sample_rate}/{channels}" if channels > 1 else f"{name}/{sample_rate}"
    kilobits = -(-sample_rate * channels * bits // 1000)
    number = STATIC_PAYLOAD_TYPES.get(encoding, AUDIO_PAYLOAD_TYPE)
    return OfferedTrack("audio", number, encoding, "", kilobits)


def metadata_track() -> OfferedTrack:
    """Describe a stream of events."""
    return OfferedTrack("application", METADATA_PAYLOAD_TYPE, "vnd.onvif.metadata/90000")


def describe(
    tracks: Iterable[OfferedTrack],
    url: PresentationUrl,
    *,
    number: int,
    address: str,
    range_value: str = "npt=now-",
) -> bytes:
    """Write the description.

    :param url: as the client named it: its host stands in the control URLs.
    :param number: tells this description from others.
    :param address: of the server, as the client reached it.
    :param range_value: ``npt=now-`` for what is live.
    """
    session = SessionDescription(
        origin=Origin("-", str(number), "1", "IP6" if ":" in address else "IP4", address),
        name="Session streamed with GStreamer",
        information="rtsp-server",
        attributes=(
            ("tool", "GStreamer"),
            ("type", "broadcast"),
            ("range", range_value),
            ("control", url.url),
        ),
        media=tuple(_media(track, url.track_url(index)) for index, track in enumerate(tracks)),
    )
    return build_session(session)


def _media(track: OfferedTrack, control: str) -> MediaDescription:
    number = track.payload_type
    attributes: list[Attribute] = [("rtpmap", f"{number} {track.encoding}")]
    if track.fmtp:
        attributes.append(("fmtp", f"{number} {track.fmtp}"))
    attributes += [
        ("ts-refclk", "local"),
        ("mediaclk", "sender"),
        ("recvonly", None),
        ("control", control),
        *track.attributes,
    ]
    return MediaDescription(
        kind=track.kind,
        protocol=track.protocol,
        payload_types=(number,),
        attributes=tuple(attributes),
        connection="0.0.0.0",  # noqa: S104 (as devices write it; nothing binds to it)
        bandwidths=(f"AS:{track.bandwidth_kbit}",) if track.bandwidth_kbit else (),
    )


def _video(name: str, fmtp: str, frame_rate: Fraction | None) -> OfferedTrack:
    encoding = f"{name}/90000"
    attributes: tuple[Attribute, ...] = (("transform", _UPRIGHT),)
    if frame_rate is not None:
        attributes = ("framerate", f"{float(frame_rate):.6f}"), *attributes
    number = STATIC_PAYLOAD_TYPES.get(encoding, VIDEO_PAYLOAD_TYPE)
    return OfferedTrack("video", number, encoding, fmtp, 50000, attributes)


def _text(unit: bytes) -> str:
    return b64encode(unit).decode("ascii")
