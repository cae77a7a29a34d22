"""The keys of SRTP in session descriptions and in headers of RTSP (RFC 4567).

::

    SDP   a=key-mgmt:mikey <base64>
    RTSP  KeyMgmt: prot=mikey; uri="<URL>"; data="<base64>"
"""

import binascii
import re

from axis_nvr.errors import WireError
from axis_nvr.wire.mikey import MAX_MIKEY_BYTES, MikeyMessage, build_mikey, parse_mikey

_PART = re.compile(r'\s*([a-z]+)\s*=\s*(?:"([^"]*)"|([^;,"]*))\s*(?:[;,]|$)', re.IGNORECASE)


def parse_attribute(value: str) -> MikeyMessage:
    """Read the value of ``a=key-mgmt`` in a session description.

    :raises WireError: it is not MIKEY, or as for `parse_mikey`.

    Source: RFC 4567 §3.1.
    """
    protocol, _, data = value.strip().partition(" ")
    if protocol.lower() != "mikey":
        raise WireError(f"key management by {protocol[:20]!r}", source="RFC 4567 §3.1")
    return parse_mikey(_decode(data))


def build_attribute(message: MikeyMessage) -> str:
    """Write the value of ``a=key-mgmt``."""
    return f"mikey {_encode(message)}"


def parse_key_mgmt(value: str) -> MikeyMessage:
    """Read a ``KeyMgmt`` header of RTSP: the first of its entries that is MIKEY.

    :raises WireError: none is, or as for `parse_mikey`.

    Source: RFC 4567 §3.2.
    """
    protocol = ""
    for name, quoted, bare in _PART.findall(value[: 4 * MAX_MIKEY_BYTES]):
        text = quoted or bare.strip()
        if name.lower() == "prot":
            protocol = text.lower()
        elif name.lower() == "data" and protocol == "mikey":
            return parse_mikey(_decode(text))
    raise WireError("KeyMgmt without MIKEY", source="RFC 4567 §3.2")


def build_key_mgmt(message: MikeyMessage, uri: str) -> str:
    """Write a ``KeyMgmt`` header.

    :param uri: what the key is for. GStreamer's server takes the header apart at commas and
        semicolons wherever they are: one with any of them is left out, as ONVIF's examples do.

    Source: RFC 4567 §3.2; ONVIF Streaming Specification.
    """
    shown = "" if re.search(r'[,;"]', uri) else uri
    return f'prot=mikey; uri="{shown}"; data="{_encode(message)}"'


def _encode(message: MikeyMessage) -> str:
    return binascii.b2a_base64(build_mikey(message), newline=False).decode("ascii")


def _decode(text: str) -> bytes:
    """Read base64.

    :raises WireError: it is none.
    """
    try:
        return binascii.a2b_base64(text.strip()[: 2 * MAX_MIKEY_BYTES].encode("ascii"))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise WireError("MIKEY that is no base64", source="RFC 4567 §3.1") from error
