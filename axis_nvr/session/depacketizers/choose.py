"""Which depacketizer a track needs."""

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.media.units import Codec
from axis_nvr.session.depacketizers import whole_packets
from axis_nvr.session.depacketizers.aac import AacDepacketizer
from axis_nvr.session.depacketizers.base import Depacketizer
from axis_nvr.session.depacketizers.h264 import H264Depacketizer
from axis_nvr.session.depacketizers.h265 import H265Depacketizer
from axis_nvr.session.depacketizers.jpeg import JpegDepacketizer
from axis_nvr.session.depacketizers.latm import LatmDepacketizer
from axis_nvr.session.depacketizers.metadata import MetadataDepacketizer
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.wire.nal import nal_units_from_sprop

#: Bits of a code word of each rate of G.726, in kbit/s.
G726_BITS = {"16": 2, "24": 3, "32": 4, "40": 5}


def depacketizer_for(track: TrackDescription) -> Depacketizer:
    """Make the depacketizer of a track.

    :raises RemoteProtocolError: there is none, and the message says for what.
    """
    fmtp, rate, channels = track.fmtp, track.clock_rate, track.channels
    match track.codec:
        case Codec.H264:
            return H264Depacketizer(nal_units_from_sprop(fmtp.get("sprop-parameter-sets")))
        case Codec.H265:
            names = ("sprop-vps", "sprop-sps", "sprop-pps")
            sets = [nal for name in names for nal in nal_units_from_sprop(fmtp.get(name))]
            has_don = fmtp.get("sprop-max-don-diff", "0").strip() not in ("", "0")
            return H265Depacketizer(sets, has_don=has_don)
        case Codec.JPEG:
            return JpegDepacketizer()
        case Codec.AAC if track.encoding_name == "MP4A-LATM":
            return LatmDepacketizer(rate, channels, fmtp)
        case Codec.AAC:
            return AacDepacketizer(rate, channels, fmtp)
        case Codec.PCMU | Codec.PCMA:
            return whole_packets.g711(track.codec, rate, channels)
        case Codec.G726:
            bits = G726_BITS.get(track.encoding_name[-2:], 4)
            aal2 = track.encoding_name.startswith("AAL2")
            return whole_packets.g726(bits, rate, channels, aal2=aal2)
        case Codec.L16:
            return whole_packets.l16(rate, channels)
        case Codec.OPUS:
            return whole_packets.opus(channels)
        case Codec.ONVIF_METADATA:
            return MetadataDepacketizer()
    raise RemoteProtocolError(f"nothing understands {track.encoding_name or 'this track'}")
