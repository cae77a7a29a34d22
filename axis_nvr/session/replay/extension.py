"""The ONVIF replay extension, made once for each unit that is sent.

Source: ONVIF Streaming Specification §6.2 (profile ``0xABAC``).
"""

import struct

from axis_nvr.wire.ntp import ntp_from_utc_us
from axis_nvr.wire.rtp_extensions import ONVIF_REPLAY

#: The flags, as the extension has them.
CLEAN_POINT, END_OF_SECTION, DISCONTINUITY, TERMINAL = 0x80, 0x40, 0x20, 0x10
_WORDS = 3
_EXTENSION = struct.Struct("!HHQBBH")
#: How much a packet with it is longer.
EXTENSION_BYTES = _EXTENSION.size


def replay_extension(utc_us: int, flags: int, cseq: int) -> bytes:
    """Make a whole header extension.

    This is the fast path of `axis_nvr.wire.rtp_extensions.build_replay`.

    :param utc_us: when the unit was taken.
    :param cseq: of the PLAY that it answers; its low byte counts.
    """
    ntp_64 = ntp_from_utc_us(utc_us)
    return _EXTENSION.pack(ONVIF_REPLAY, _WORDS, ntp_64, flags, cseq & 0xFF, 0)
