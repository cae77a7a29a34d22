"""The keys of a server that protects its media (SRTP): whose they are, and who gets 463.

Source: RFC 4567 §4.2 (463), §3.1; ONVIF Streaming Specification for the client's key.
"""

from dataclasses import replace
from enum import StrEnum

from axis_nvr.errors import WireError
from axis_nvr.session.server.description import OfferedTrack
from axis_nvr.session.server.dialogue import Asked
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.session.srtp import SrtpKey, keys_of
from axis_nvr.session.srtp_keys import MKI_BYTES, KeyMaker
from axis_nvr.session.transports import SECURE_PROFILES
from axis_nvr.wire.key_mgmt import build_attribute, parse_key_mgmt


class KeySource(StrEnum):
    """Whose key media is sent under."""

    OFFERED = "offered"  # ours, as the description offers it (RFC 4567, GStreamer)
    DEMANDED = "demanded"  # the client's, which has a name of four bytes (ONVIF, Axis)


class SrtpGate:
    """Lets in who brings a key.

    :param keys: makes ours; one serves all clients, and no two of their tracks have one SSRC.
    """

    def __init__(self, source: KeySource, keys: KeyMaker) -> None:
        self.source = source
        self._offer = keys.make()

    def describe(self, track: OfferedTrack) -> OfferedTrack:
        """Return the description of a track with its profile and our key."""
        key = ("key-mgmt", build_attribute(self._offer))
        return replace(track, protocol="RTP/SAVP", attributes=(*track.attributes, key))

    def admit(self, asked: Asked) -> SrtpKey:
        """Return the key for the media that a SETUP asks for.

        :raises RequestRefused: 463: it asks for plain RTP, or its own key is missing, unreadable
            or not of the kind that is demanded.
        """
        refused = RequestRefused(463, "Key management failure")
        if not any(offered.profile in SECURE_PROFILES for offered in asked.transports):
            raise refused
        try:
            brought = keys_of(parse_key_mgmt(asked.request.headers.get("KeyMgmt")))
        except WireError:
            raise refused from None
        if self.source is KeySource.OFFERED:
            return keys_of(self._offer)[0]
        if not brought or len(brought[0].master.mki) != MKI_BYTES:
            raise refused
        return brought[0]
