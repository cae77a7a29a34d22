"""SRTP and SRTCP (RFC 3711): packets that are secret and authentic.

::

    RTP header | payload, encrypted                    | MKI | tag         what the tag covers:
    RTCP head, SSRC | the rest, encrypted | E, index 32 | MKI | tag        all before the MKI

The key stream of a packet comes from its index: 48 bits for RTP, of which the packet shows 16, so
both ends count how often the sequence has wrapped (the roll-over counter, ROC); 31 bits for RTCP,
which are sent. The tag of RTP covers the ROC too: who has it wrong sees a wrong tag.

Which key the camera uses is not always what was agreed on: its own, ours, or that of another
answer. `SrtpReceiver` is given all that may be and goes by the tag, which is right for one of them
and by chance for none. What no key fits, and what comes again, is counted and dropped.

Source: RFC 3711; RFC 6188 for AES with longer keys.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from axis_nvr.session.sequence import sequence_difference
from axis_nvr.wire.mikey import MasterKey, MikeyMessage, SrtpPolicy
from axis_nvr.wire.rtp import Buffer

#: Packets of a source as far behind the newest as this can be told from repeated ones (§3.3.2).
REPLAY_WINDOW_PACKETS = 128
#: Sources of one key that are followed; each has counted and remembered packets.
MAX_SOURCES = 8

#: Bytes of the tag of RTCP, which is never shortened (RFC 4568 §6.2).
RTCP_TAG_BYTES = 10
_AUTHENTICATION_KEY_BYTES = 20
_BLOCK_BYTES = 16
_RTP_HEADER_BYTES = 12
_RTCP_HEADER_BYTES = 8
_INDEX_BYTES = 4
_ENCRYPTED_FLAG = 0x8000_0000
_MAX_RTCP_INDEX = 0x7FFF_FFFF
_MAX_ROC = 0xFFFF_FFFF

#: Labels of derived keys (§4.3.1, §4.3.2): cipher, authentication, salt; RTCP's are 3 higher.
CIPHER, AUTHENTICATION, SALT = 0, 1, 2
_RTCP_LABELS = 3


def derive(master_key: bytes, master_salt: bytes, label: int, size: int) -> bytes:
    """Derive `size` bytes of session key from a master key, at derivation rate 0.

    Source: RFC 3711 §4.3.1, §4.3.3.
    """
    start = (int.from_bytes(master_salt, "big") ^ label << 48) << 16
    counter = start.to_bytes(_BLOCK_BYTES, "big")
    return Cipher(AES(master_key), CTR(counter)).encryptor().update(bytes(size))


class _SessionKeys:
    """The keys that are derived from a master key for RTP, or for RTCP.

    One cipher serves all packets: to set its counter takes 1.5 µs, to make another one 8.5.
    """

    __slots__ = ("_authenticate", "_cipher", "_salt")

    def __init__(self, master: MasterKey, labels: int) -> None:
        key, salt = master.key, master.salt
        cipher_key = derive(key, salt, labels + CIPHER, len(key))
        self._cipher = Cipher(AES(cipher_key), CTR(bytes(_BLOCK_BYTES))).encryptor()
        self._salt = int.from_bytes(derive(key, salt, labels + SALT, len(salt)), "big") << 16
        secret = derive(key, salt, labels + AUTHENTICATION, _AUTHENTICATION_KEY_BYTES)
        self._authenticate = hmac.new(secret, digestmod="sha1")

    def crypt(self, ssrc: int, index: int, data: Buffer) -> bytes:
        """Encrypt or decrypt, which is the same (§4.1.1).

        :param index: of the packet, 48 bits.
        """
        counter = self._salt ^ ssrc << 64 ^ index << 16
        self._cipher.reset_nonce(counter.to_bytes(_BLOCK_BYTES, "big"))
        return self._cipher.update(data)

    def tag(self, size: int, *parts: Buffer) -> bytes:
        """Return the tag of what it covers."""
        code = self._authenticate.copy()
        for part in parts:
            code.update(part)
        return code.digest()[:size]


@dataclass(slots=True)
class _Window:
    """Which packets of a source have come: the newest index, and a bit for each before it."""

    newest: int = -1
    seen: int = 0

    def is_old(self, index: int) -> bool:
        """Whether a packet has come before, or too long ago to tell."""
        behind = self.newest - index
        return behind >= 0 and (behind >= REPLAY_WINDOW_PACKETS or bool(self.seen >> behind & 1))

    def take(self, index: int) -> None:
        """Note a packet that is authentic."""
        ahead = index - self.newest
        if ahead > 0:
            kept = self.seen << ahead if ahead < REPLAY_WINDOW_PACKETS else 0
            self.seen = (kept | 1) & (1 << REPLAY_WINDOW_PACKETS) - 1
            self.newest = index
        else:
            self.seen |= 1 << -ahead


@dataclass(frozen=True, slots=True)
class SrtpKey:
    """A master key and how it is used.

    :param rocs: roll-over counters by source, as far as they were told; 0 for the others.
    """

    master: MasterKey
    policy: SrtpPolicy = field(default_factory=SrtpPolicy)
    rocs: Mapping[int, int] = field(default_factory=dict)


def keys_of(message: MikeyMessage) -> list[SrtpKey]:
    """Return the keys that a message brings."""
    rocs = {session.ssrc: session.roc for session in message.sessions}
    return [SrtpKey(master, message.policy, rocs) for master in message.keys]


@dataclass(frozen=True, slots=True)
class SrtpStatistics:
    """What came of protected packets.

    :param accepted: that were authentic and new.
    :param refused: whose tag fits no key, their key's name (MKI) included.
    :param repeated: that had come before, or so late that nobody can tell.
    """

    accepted: int
    refused: int
    repeated: int


class SrtpReceiver:
    """Takes the protection off the packets of one track.

    :param keys: those that may have been used; the one that fits is tried first from then on.
    """

    def __init__(self, keys: Iterable[SrtpKey]) -> None:
        self._keys = [_ReceivingKey(key) for key in keys]
        self._accepted = self._refused = self._repeated = 0

    @property
    def statistics(self) -> SrtpStatistics:
        """What came so far, RTP and RTCP together."""
        return SrtpStatistics(self._accepted, self._refused, self._repeated)

    def unprotect(self, packet: Buffer) -> bytes | None:
        """Return an RTP packet as it was, None if it is not authentic or not new."""
        return self._unprotect(packet, is_rtcp=False)

    def unprotect_rtcp(self, packet: Buffer) -> bytes | None:
        """Return a compound RTCP packet as it was, None if it is not authentic or not new."""
        return self._unprotect(packet, is_rtcp=True)

    def _unprotect(self, packet: Buffer, *, is_rtcp: bool) -> bytes | None:
        """Try the keys."""
        repeated = False
        for place, key in enumerate(self._keys):
            opened = key.open_rtcp(packet) if is_rtcp else key.open_rtp(packet)
            if isinstance(opened, bytes):
                if place:
                    self._keys.insert(0, self._keys.pop(place))
                self._accepted += 1
                return opened
            repeated = repeated or opened
        if repeated:
            self._repeated += 1
        else:
            self._refused += 1
        return None


class _ReceivingKey:
    """One key of a receiver, and the packets that it fitted.

    `open_rtp` and `open_rtcp` return the packet as it was; if they cannot, whether that is because
    it is an old one.
    """

    def __init__(self, key: SrtpKey) -> None:
        self._mki = key.master.mki
        self._policy = key.policy
        self._rocs = key.rocs
        self._rtp = _SessionKeys(key.master, 0)
        self._rtcp = _SessionKeys(key.master, _RTCP_LABELS)
        self._windows: dict[int, _Window] = {}  # of RTP, by source
        self._rtcp_windows: dict[int, _Window] = {}

    def open_rtp(self, packet: Buffer) -> bytes | bool:
        """Take the protection off an RTP packet (§3.3)."""
        mki_end = len(packet) - self._policy.tag_bytes
        end = mki_end - len(self._mki)
        start = header_size(packet)
        if start > end or packet[end:mki_end] != self._mki:
            return False
        ssrc = int.from_bytes(packet[8:12], "big")
        number = int.from_bytes(packet[2:4], "big")
        window = self._windows.get(ssrc)
        for index in self._indices(window, ssrc, number):
            if window is not None and window.is_old(index):
                return True
            roc = (index >> 16).to_bytes(4, "big")
            tag = self._rtp.tag(self._policy.tag_bytes, packet[:end], roc)
            if hmac.compare_digest(tag, packet[mki_end:]):
                _note(self._windows, ssrc, index)
                payload = packet[start:end]
                if self._policy.rtp_encrypted:
                    payload = self._rtp.crypt(ssrc, index, payload)
                return bytes(packet[:start]) + payload
        return False

    def _indices(self, window: _Window | None, ssrc: int, number: int) -> list[int]:
        """Say what the index of a packet can be (§3.3.1).

        Before the first one the ROC is as the camera told, or one more if the sequence has wrapped
        since: GStreamer tells it with the description.
        """
        if window is None:
            roc = self._rocs.get(ssrc, 0)
            return [roc << 16 | number, min(roc + 1, _MAX_ROC) << 16 | number]
        index = window.newest + sequence_difference(number, window.newest & 0xFFFF)
        return [index] if 0 <= index >> 16 <= _MAX_ROC else []

    def open_rtcp(self, packet: Buffer) -> bytes | bool:
        """Take the protection off a compound RTCP packet (§3.4).

        Where the tags of RTP are short, some senders shorten those of RTCP too: GStreamer takes
        both from one setting.
        """
        for tag_bytes in {RTCP_TAG_BYTES: 0, self._policy.tag_bytes: 0}:
            mki_end = len(packet) - tag_bytes
            index_end = mki_end - len(self._mki)
            end = index_end - _INDEX_BYTES
            if end < _RTCP_HEADER_BYTES or packet[index_end:mki_end] != self._mki:
                continue
            tag = self._rtcp.tag(tag_bytes, packet[:index_end])
            if hmac.compare_digest(tag, packet[mki_end:]):
                return self._open_authentic_rtcp(packet, end)
        return False

    def _open_authentic_rtcp(self, packet: Buffer, end: int) -> bytes | bool:
        word = int.from_bytes(packet[end : end + _INDEX_BYTES], "big")
        ssrc = int.from_bytes(packet[4:8], "big")
        index = word & _MAX_RTCP_INDEX
        window = self._rtcp_windows.get(ssrc)
        if window is not None and window.is_old(index):
            return True
        _note(self._rtcp_windows, ssrc, index)
        rest = packet[_RTCP_HEADER_BYTES:end]
        if word & _ENCRYPTED_FLAG:
            rest = self._rtcp.crypt(ssrc, index, rest)
        return bytes(packet[:_RTCP_HEADER_BYTES]) + rest


def _note(windows: dict[int, _Window], ssrc: int, index: int) -> None:
    """Note an authentic packet of a source; the source that came first is forgotten for a new one.

    :param windows: by source.
    """
    window = windows.get(ssrc)
    if window is None:
        if len(windows) >= MAX_SOURCES:
            del windows[next(iter(windows))]
        window = windows[ssrc] = _Window()
    window.take(index)


def header_size(packet: Buffer) -> int:
    """Return the bytes of an RTP packet that stay readable: header, CSRCs and extension (§3.1).

    :returns: more than the packet has if it breaks off.
    """
    if len(packet) < _RTP_HEADER_BYTES:
        return _RTP_HEADER_BYTES
    size = _RTP_HEADER_BYTES + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        size += 4 + 4 * int.from_bytes(packet[size + 2 : size + 4], "big")
    return size


class SrtpSender:
    """Puts protection on what one side sends: one sequence of RTP, and RTCP.

    :param key: the master key; nobody else may send under it with the same SSRC.
    """

    def __init__(self, key: SrtpKey) -> None:
        self._mki = key.master.mki
        self._policy = key.policy
        self._rtp = _SessionKeys(key.master, 0)
        self._rtcp = _SessionKeys(key.master, _RTCP_LABELS)
        self._last = -1  # index of the last RTP packet
        self._rtcp_index = 0

    @property
    def overhead_bytes(self) -> int:
        """By how much an RTP packet grows."""
        return len(self._mki) + self._policy.tag_bytes

    def protect(self, packet: bytes) -> bytes:
        """Protect an RTP packet; packets may come a little out of order (§3.3)."""
        number = int.from_bytes(packet[2:4], "big")
        index = number
        if self._last >= 0:
            index = self._last + sequence_difference(number, self._last & 0xFFFF)
        self._last = index
        start = header_size(packet)
        payload = packet[start:]
        if self._policy.rtp_encrypted:
            payload = self._rtp.crypt(int.from_bytes(packet[8:12], "big"), index, payload)
        covered = packet[:start] + payload
        roc = (index >> 16 & _MAX_ROC).to_bytes(4, "big")
        return covered + self._mki + self._rtp.tag(self._policy.tag_bytes, covered, roc)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect a compound RTCP packet (§3.4)."""
        index = self._rtcp_index = (self._rtcp_index + 1) & _MAX_RTCP_INDEX
        rest = packet[_RTCP_HEADER_BYTES:]
        word = index
        if self._policy.rtcp_encrypted:
            rest = self._rtcp.crypt(int.from_bytes(packet[4:8], "big"), index, rest)
            word |= _ENCRYPTED_FLAG
        covered = packet[:_RTCP_HEADER_BYTES] + rest + word.to_bytes(_INDEX_BYTES, "big")
        return covered + self._mki + self._rtcp.tag(RTCP_TAG_BYTES, covered)
