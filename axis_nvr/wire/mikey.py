"""MIKEY messages (RFC 3830): the keys of SRTP, as `axis_nvr.wire.key_mgmt` carries them.

::

    HDR   | version 8 | data type 8 | next 8 | V 1, PRF 7 | CSB ID 32 | sessions 8 | map type 8 |
          | for each session: policy 8 | SSRC 32 | roll-over counter 32 |                 §6.1
    T     | next 8 | type 8 | time 64 or 32 |                                             §6.6
    RAND  | next 8 | length 8 | bytes |                                                   §6.11
    SP    | next 8 | policy 8 | protocol 8 | length 16 | (type 8, length 8, value) … |    §6.10
    KEMAC | next 8 | cipher 8 | length 16 | key data … | MAC 8 |                          §6.2
            key data: | next 8 | type 4, validity 4 | length 16 | key |
                      | length 16 | salt | where the type has one
                      | length 8 | MKI   | where the validity is an MKI                   §6.13

Over RTSP nobody shares a key beforehand: the message is in the clear, without cipher and MAC, and
as secret as the connection is. So do GStreamer and Axis, and ONVIF's Streaming Specification asks
for it. What they call a TEK of 30 bytes is the master key with the master salt behind it; RFC 3830
would have them apart. Both are read, the first is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from construct import (
    Array,
    BitsInteger,
    BitStruct,
    Byte,
    Bytes,
    Const,
    ConstructError,
    Flag,
    GreedyBytes,
    GreedyRange,
    If,
    Int8ub,
    Int16ub,
    Int32ub,
    Prefixed,
    Struct,
    Switch,
    this,
)

from axis_nvr.errors import WireError

#: A message past this is refused, in bytes; real ones have about 120.
MAX_MIKEY_BYTES = 4096
#: Payloads of one message, and keys of one KEMAC.
MAX_PAYLOADS = 16

#: Data type of the only message that RTSP needs: the initiator's, of the pre-shared key method.
PRE_SHARED = 0
#: Payload types (§6.1, Table 6.1.b).
LAST, KEMAC, T, ID, SP, RAND, KEY_DATA, EXTENSION = 0, 1, 5, 6, 10, 11, 20, 21
#: Types of key data (§6.13): what traffic keys are made of, or the traffic key itself (TEK).
TEK, TEK_WITH_SALT = 2, 3
_WITH_SALT = (1, 3)
#: Validity of a key (§6.13): for all packets, those that name this identifier (MKI), or a while.
ALWAYS, MKI, INTERVAL = 0, 1, 2
#: Types of time in T: NTP in UTC, NTP, a counter.
NTP_UTC = 0
_TIME_BYTES = {0: 8, 1: 8, 2: 4}
#: Bytes of a MAC by its algorithm: none, HMAC-SHA-1-160.
_MAC_BYTES = {0: 0, 1: 20}

#: Parameters of an SRTP policy (§6.10.1).
(
    ENCRYPTION,
    CIPHER_KEY_BYTES,
    AUTHENTICATION,
    AUTHENTICATION_KEY_BYTES,
    SALT_BYTES,
    DERIVATION,
    DERIVATION_RATE,
    RTP_ENCRYPTED,
    RTCP_ENCRYPTED,
    _FEC_ORDER,
    RTP_AUTHENTICATED,
    TAG_BYTES,
    PREFIX_BYTES,
) = range(13)
_AES_CM, _HMAC_SHA1 = 1, 1
#: What each parameter may be, the default of the RFC first.
_SUPPORTED: Mapping[int, tuple[int, ...]] = {
    ENCRYPTION: (_AES_CM, 0),
    CIPHER_KEY_BYTES: (16, 32, 24),
    AUTHENTICATION: (_HMAC_SHA1,),
    AUTHENTICATION_KEY_BYTES: (20, 10, 4),
    SALT_BYTES: (14,),
    DERIVATION: (0,),
    DERIVATION_RATE: (0,),
    RTP_ENCRYPTED: (1, 0),
    RTCP_ENCRYPTED: (1, 0),
    RTP_AUTHENTICATED: (1,),
    TAG_BYTES: (10, 4),
    PREFIX_BYTES: (0,),
}
_PARAMETER_NAMES = {
    ENCRYPTION: "cipher",
    AUTHENTICATION: "authentication",
    RTP_AUTHENTICATED: "authentication of RTP",
}

#: One session of the common header's map for SRTP (§6.1.1).
_SESSION = Struct("policy" / Int8ub, "ssrc" / Int32ub, "roc" / Int32ub)

#: The common header (§6.1), with the map for SRTP, type 0.
HEADER = Struct(
    "version" / Const(1, Int8ub),
    "data_type" / Int8ub,
    "next" / Int8ub,
    "second" / BitStruct("verify" / Flag, "prf" / BitsInteger(7)),
    "csb_id" / Int32ub,
    "session_count" / Int8ub,
    "map_type" / Const(0, Int8ub),
    "sessions" / Array(this.session_count, _SESSION),
)

#: A parameter of a security policy (§6.10).
_PARAMETER = Struct("type" / Int8ub, "value" / Prefixed(Int8ub, GreedyBytes))

#: The payloads behind the common header, each with the type of the one behind it.
PAYLOADS: Mapping[int, Any] = {
    KEMAC: Struct(
        "next" / Int8ub,
        "cipher" / Int8ub,
        "data" / Prefixed(Int16ub, GreedyBytes),
        "mac_algorithm" / Int8ub,
        "mac" / Bytes(lambda p: _MAC_BYTES.get(p.mac_algorithm, 0)),
    ),
    T: Struct(
        "next" / Int8ub, "type" / Int8ub, "time" / Bytes(lambda p: _TIME_BYTES.get(p.type, 8))
    ),
    ID: Struct("next" / Int8ub, "type" / Int8ub, "data" / Prefixed(Int16ub, GreedyBytes)),
    SP: Struct(
        "next" / Int8ub,
        "number" / Int8ub,
        "protocol" / Int8ub,
        "parameters" / Prefixed(Int16ub, GreedyRange(_PARAMETER)),
    ),
    RAND: Struct("next" / Int8ub, "data" / Prefixed(Int8ub, GreedyBytes)),
    EXTENSION: Struct("next" / Int8ub, "type" / Int8ub, "data" / Prefixed(Int16ub, GreedyBytes)),
}

#: A key within KEMAC (§6.13).
KEY = Struct(
    "next" / Int8ub,
    "kind" / BitStruct("type" / BitsInteger(4), "validity" / BitsInteger(4)),
    "key" / Prefixed(Int16ub, GreedyBytes),
    "salt" / If(lambda k: k.kind.type in _WITH_SALT, Prefixed(Int16ub, GreedyBytes)),
    "validity"
    / Switch(
        this.kind.validity,
        {
            MKI: Prefixed(Byte, GreedyBytes),
            INTERVAL: Array(2, Prefixed(Byte, GreedyBytes)),
        },
    ),
)

_SOURCE = "RFC 3830 §6"


@dataclass(frozen=True, slots=True)
class SrtpPolicy:
    """How packets are protected; AES in counter mode and HMAC-SHA1 always.

    :param cipher_key_bytes: 16, or 24 or 32 (RFC 6188).
    :param tag_bytes: of the tag of RTP packets: 10 or 4.
    :param rtp_encrypted: whether RTP is also secret, and not only authentic.
    :param rtcp_encrypted: the same of RTCP.
    """

    cipher_key_bytes: int = 16
    tag_bytes: int = 10
    rtp_encrypted: bool = True
    rtcp_encrypted: bool = True


@dataclass(frozen=True, slots=True)
class CryptoSession:
    """What a message says of one source.

    :param ssrc: 0 where who sends the message does not know it yet.
    :param roc: how often its sequence numbers have wrapped.
    """

    policy: int = 0
    ssrc: int = 0
    roc: int = 0


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key of SRTP.

    :param salt: 14 bytes.
    :param mki: the identifier that packets name it by, empty if they do not.
    """

    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    mki: bytes = b""


@dataclass(frozen=True, slots=True)
class MikeyMessage:
    """A message with keys.

    :param csb_id: names the bundle of sessions that it is about, 32 bits.
    :param ntp_64: when it was made; 0 if it does not say.
    :param policies: by number; what sessions name and is not there is as the RFC has it.
    :param rand: random bytes, empty without.
    """

    csb_id: int
    sessions: tuple[CryptoSession, ...]
    keys: tuple[MasterKey, ...]
    policies: Mapping[int, SrtpPolicy] = field(default_factory=lambda: {0: SrtpPolicy()})
    ntp_64: int = 0
    rand: bytes = b""

    @property
    def policy(self) -> SrtpPolicy:
        """The policy of the first session."""
        number = self.sessions[0].policy if self.sessions else 0
        return self.policies.get(number, SrtpPolicy())


def parse_mikey(data: bytes) -> MikeyMessage:
    """Read a message that brings keys of SRTP in the clear.

    :raises WireError: it is none, is encrypted, or asks for what there is not here: the words say
        what.

    Source: RFC 3830 §6.
    """
    if len(data) > MAX_MIKEY_BYTES:
        raise WireError(f"MIKEY of {len(data)} bytes", source="MAX_MIKEY_BYTES")
    stream = BytesIO(data)
    try:
        header = HEADER.parse_stream(stream)
        payloads = list(_payloads(stream, header.next, PAYLOADS))
    except ConstructError as error:
        raise WireError(
            "MIKEY that breaks off or is none", offset=stream.tell(), source=_SOURCE
        ) from error
    if header.data_type != PRE_SHARED:
        raise WireError(f"MIKEY message of type {header.data_type}", offset=1, source=_SOURCE)
    of_type = dict(reversed(payloads))  # of several the first
    sessions = tuple(CryptoSession(s.policy, s.ssrc, s.roc) for s in header.sessions)
    policies = {
        sp.number: _parse_policy({p.type: p.value for p in sp.parameters})
        for kind, sp in payloads
        if kind == SP and sp.protocol == 0
    }
    time, rand = of_type.get(T), of_type.get(RAND)
    message = MikeyMessage(
        csb_id=header.csb_id,
        sessions=sessions,
        keys=(),
        policies=policies,
        ntp_64=int.from_bytes(time.time, "big") if time and time.type == NTP_UTC else 0,
        rand=rand.data if rand else b"",
    )
    if KEMAC not in of_type:
        raise WireError("MIKEY without a key", source=_SOURCE)
    keys = _parse_keys(of_type[KEMAC], message.policy)
    return MikeyMessage(message.csb_id, sessions, keys, policies, message.ntp_64, message.rand)


def _payloads(stream: BytesIO, kind: int, known: Mapping[int, Any]) -> Iterable[tuple[int, Any]]:
    """Take payloads that name their successors.

    :raises WireError: one is of a type whose length nobody knows, or there are too many.
    """
    for _ in range(MAX_PAYLOADS):
        if kind == LAST:
            return
        if kind not in known:
            raise WireError(f"MIKEY payload of type {kind}", offset=stream.tell(), source=_SOURCE)
        payload = known[kind].parse_stream(stream)
        yield kind, payload
        kind = payload.next
    raise WireError(
        f"over {MAX_PAYLOADS} MIKEY payloads", offset=stream.tell(), source="MAX_PAYLOADS"
    )


def _parse_policy(parameters: Mapping[int, bytes]) -> SrtpPolicy:
    """Read a policy.

    :raises WireError: it asks for what there is not.
    """
    values = {kind: allowed[0] for kind, allowed in _SUPPORTED.items()}
    for kind, text in parameters.items():
        value = int.from_bytes(text, "big")
        if kind in _SUPPORTED and value not in _SUPPORTED[kind]:
            name = _PARAMETER_NAMES.get(kind, f"parameter {kind}")
            raise WireError(f"SRTP {name} {value} is not supported", source="RFC 3830 §6.10.1")
        values[kind] = value
    if TAG_BYTES not in parameters and values[AUTHENTICATION_KEY_BYTES] != 20:
        # GStreamer 1.22: what it calls the key's length is the tag's
        values[TAG_BYTES] = values[AUTHENTICATION_KEY_BYTES]
    encrypted = values[ENCRYPTION] == _AES_CM
    return SrtpPolicy(
        values[CIPHER_KEY_BYTES],
        values[TAG_BYTES],
        encrypted and values[RTP_ENCRYPTED] == 1,
        encrypted and values[RTCP_ENCRYPTED] == 1,
    )


def _parse_keys(kemac: Any, policy: SrtpPolicy) -> tuple[MasterKey, ...]:
    """Read the keys of a KEMAC.

    :raises WireError: they are encrypted, of a kind that others are made of, or too short.
    """
    if kemac.cipher:
        raise WireError(f"MIKEY keys under cipher {kemac.cipher}", source="RFC 3830 §6.2")
    stream = BytesIO(kemac.data)
    try:
        found = [key for _, key in _payloads(stream, KEY_DATA, {KEY_DATA: KEY})]
    except ConstructError as error:
        raise WireError(
            "MIKEY key that breaks off", offset=stream.tell(), source="RFC 3830 §6.13"
        ) from error
    keys = []
    for key in found:
        if key.kind.type not in (TEK, TEK_WITH_SALT):
            raise WireError(f"MIKEY key of type {key.kind.type}", source="RFC 3830 §6.13")
        size = policy.cipher_key_bytes
        material = key.key + (key.salt or b"")
        if len(material) != size + _SUPPORTED[SALT_BYTES][0]:
            raise WireError(
                f"MIKEY key and salt of {len(material)} bytes", source="RFC 3830 §6.10.1"
            )
        mki = key.validity if key.kind.validity == MKI else b""
        keys.append(MasterKey(material[:size], material[size:], mki))
    return tuple(keys)


def build_mikey(message: MikeyMessage) -> bytes:
    """Write a message: HDR, T, RAND, SP and KEMAC in the clear, as GStreamer and ONVIF do.

    Source: RFC 3830 §3.1, §6.
    """
    header = {
        "data_type": PRE_SHARED,
        "next": T,
        "second": {"verify": False, "prf": 0},
        "csb_id": message.csb_id,
        "session_count": len(message.sessions),
        "sessions": [
            {"policy": session.policy, "ssrc": session.ssrc, "roc": session.roc}
            for session in message.sessions
        ],
    }
    kemac = {
        "next": LAST,
        "cipher": 0,
        "data": _build_keys(message.keys),
        "mac_algorithm": 0,
        "mac": b"",
    }
    behind_time = RAND if message.rand else SP
    parts = [
        HEADER.build(header),
        PAYLOADS[T].build(
            {"next": behind_time, "type": NTP_UTC, "time": message.ntp_64.to_bytes(8, "big")}
        ),
    ]
    if message.rand:
        parts.append(PAYLOADS[RAND].build({"next": SP, "data": message.rand}))
    last = len(message.policies) - 1
    for place, (number, policy) in enumerate(message.policies.items()):
        behind = KEMAC if place == last else SP
        parts.append(PAYLOADS[SP].build(_policy_fields(number, policy, behind)))
    parts.append(PAYLOADS[KEMAC].build(kemac))
    return b"".join(parts)


def _policy_fields(number: int, policy: SrtpPolicy, behind: int) -> dict[str, object]:
    """Name a policy's parameters, those that RFC 3711 leaves open."""
    values = {
        ENCRYPTION: _AES_CM,
        CIPHER_KEY_BYTES: policy.cipher_key_bytes,
        AUTHENTICATION: _HMAC_SHA1,
        AUTHENTICATION_KEY_BYTES: 20,
        RTP_ENCRYPTED: int(policy.rtp_encrypted),
        RTCP_ENCRYPTED: int(policy.rtcp_encrypted),
        RTP_AUTHENTICATED: 1,
        TAG_BYTES: policy.tag_bytes,
    }
    parameters = [{"type": kind, "value": bytes((value,))} for kind, value in values.items()]
    return {"next": behind, "number": number, "protocol": 0, "parameters": parameters}


def _build_keys(keys: tuple[MasterKey, ...]) -> bytes:
    """Write keys as TEKs, each with its salt behind it in one piece."""
    last = len(keys) - 1
    return b"".join(
        KEY.build(
            {
                "next": LAST if place == last else KEY_DATA,
                "kind": {"type": TEK, "validity": MKI if key.mki else ALWAYS},
                "key": key.key + key.salt,
                "salt": None,
                "validity": key.mki or None,
            }
        )
        for place, key in enumerate(keys)
    )
