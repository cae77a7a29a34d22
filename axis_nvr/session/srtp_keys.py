"""The keys of protected tracks: what a camera offers, and what we offer it.

Two ways are in use. By RFC 4567 the camera's key stands in its session description, it sends under
that, and ours in SETUP is for our reports; so does GStreamer. By ONVIF's Streaming Specification
the client brings the key for both directions, and each packet names it (MKI, 4 bytes); so do Axis
cameras, which answer 463 to everything else (quirk 19: gortsplib pull request 1033).
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.session.srtp import SrtpKey, keys_of
from axis_nvr.wire.key_mgmt import parse_attribute, parse_key_mgmt
from axis_nvr.wire.mikey import CryptoSession, MasterKey, MikeyMessage, SrtpPolicy
from axis_nvr.wire.ntp import ntp_from_utc_us
from axis_nvr.wire.sdp import Attribute

#: Bytes of the name that a key of ours has where a name is asked for.
MKI_BYTES = 4
#: Keys of one description or answer; those beyond are not tried.
MAX_KEYS = 8
_SALT_BYTES = 14
_RAND_BYTES = 16


@dataclass(frozen=True, slots=True)
class TrackProtection:
    """The keys of one track.

    :param receive: those that the camera may use.
    :param send: the one for our reports.
    """

    receive: tuple[SrtpKey, ...]
    send: SrtpKey


class KeyMaker:
    """Makes keys for one session.

    :param ssrc: our source, in reports.
    :param utc_us: UTC in microseconds since 1970.
    :param random_bytes: gives bytes that nobody guesses.
    """

    def __init__(
        self,
        ssrc: int,
        utc_us: Callable[[], int],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._ssrc = ssrc
        self._utc_us = utc_us
        self._random_bytes = random_bytes

    def make(self, mki_bytes: int = 0) -> MikeyMessage:
        """Make a message with a new key: AES-128 and HMAC-SHA1-80, as all cameras know them."""
        policy = SrtpPolicy()
        random_bytes = self._random_bytes
        key = MasterKey(
            random_bytes(policy.cipher_key_bytes),
            random_bytes(_SALT_BYTES),
            random_bytes(mki_bytes) if mki_bytes else b"",
        )
        return MikeyMessage(
            csb_id=int.from_bytes(random_bytes(4), "big"),
            sessions=(CryptoSession(0, self._ssrc, 0),),
            keys=(key,),
            policies={0: policy},
            ntp_64=ntp_from_utc_us(self._utc_us()),
            rand=random_bytes(_RAND_BYTES),
        )


def offered_keys(attributes: Iterable[Attribute]) -> tuple[SrtpKey, ...]:
    """Return the keys that a description offers; those that cannot be read or used are left out."""
    keys: list[SrtpKey] = []
    for name, value in attributes:
        if name == "key-mgmt" and value:
            keys += _keys(parse_attribute, value)
    return tuple(keys[:MAX_KEYS])


def answered_keys(header: str) -> tuple[SrtpKey, ...]:
    """Return the keys of the KeyMgmt header of an answer, none if it is empty or unreadable."""
    return tuple(_keys(parse_key_mgmt, header)[:MAX_KEYS]) if header else ()


def _keys(parse: Callable[[str], MikeyMessage], text: str) -> list[SrtpKey]:
    try:
        return keys_of(parse(text))
    except WireError:
        return []
