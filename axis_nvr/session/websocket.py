"""WebSocket after its handshake: messages in and out, pings, limits, and the end.

::

    OPEN ── close() ──────────► CLOSING ── the peer's close frame, or CLOSE_SECONDS ──► CLOSED
      └── the peer's close frame (answered), a broken rule, silence ──────────────────────┘

Frames are read and written by wsproto. What it does not bound is bounded here: the bytes of a
message, which with permessage-deflate are a thousand times what came, its fragments, and time.

Source: RFC 6455 §5 to §7; RFC 7692 §7.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from axis_nvr.errors import LocalProtocolError

#: Bytes that are unpacked at a time: deflate makes at most 1032 times as much of them.
SLICE_BYTES = 4096
#: A peer that does not answer a close frame is given up after so many seconds.
CLOSE_SECONDS = 5.0

#: Why a connection ended (RFC 6455 §7.4.1; 1013 is of the IANA registry).
NORMAL = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
ABNORMAL = 1006
POLICY_VIOLATION = 1008
TOO_BIG = 1009
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013


class State(Enum):
    """How far a connection has come."""

    OPEN = auto()
    CLOSING = auto()  # we have sent a close frame
    CLOSED = auto()  # what is left to send is sent, and the transport closed


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may ask for, of memory and of patience.

    :param message_bytes: of a message; a larger one is skipped and told of as `Oversized`. Text
        is counted in characters.
    :param fatal_bytes: a message of more ends the connection.
    :param fragments: of one message.
    :param ping_seconds: a peer that is silent for so long is pinged.
    :param silence_seconds: and given up after so long.
    """

    message_bytes: int = 1 << 16
    fatal_bytes: int = 1 << 20
    fragments: int = 1024
    ping_seconds: float = 30.0
    silence_seconds: float = 75.0


class Oversized(NamedTuple):
    """A message that was skipped.

    :param size: of its bytes, or characters.
    """

    size: int


#: What a peer has sent.
Received = str | bytes | Oversized


class WebSocketDialogue:
    """One connection: what came becomes messages, what is to be sent becomes bytes.

    :param connection: of wsproto, just opened.
    :ivar close_code: why it ended; `ABNORMAL` until then.
    :ivar close_reason: the same in words, ours or the peer's.
    """

    def __init__(self, connection: Connection, limits: Limits, now: float) -> None:
        self.state = State.OPEN
        self.close_code = ABNORMAL
        self.close_reason = ""
        self._connection = connection
        self._limits = limits
        self._deflates = any(
            isinstance(extension, PerMessageDeflate) for extension in connection._proto.extensions
        )
        self._output: list[bytes] = []
        self._parts: list[str] | list[bytes] = []
        self._size = 0
        self._fragments = 0
        self._heard = self._pinged = self._closing_since = now

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left but to send the output and to close the transport."""
        return self.state is State.CLOSED

    # In.

    def receive(self, data: bytes, now: float) -> list[Received]:
        """Take bytes, cut anywhere.

        :returns: the messages that are whole now; none once the connection is not `State.OPEN`.
        """
        self._heard = now
        received: list[Received] = []
        for start in range(0, len(data) or 1, SLICE_BYTES):
            if self.is_closed:
                break
            self._connection.receive_data(data[start : start + SLICE_BYTES])
            for event in self._connection.events():
                if isinstance(event, TextMessage | BytesMessage):
                    self._gather(event, received)
                elif isinstance(event, Ping):
                    if self.state is State.OPEN:
                        self._output.append(self._connection.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._end(event)
                if self.is_closed:
                    break
        return received

    def _gather(self, event: TextMessage | BytesMessage, received: list[Received]) -> None:
        """Take a piece of a message."""
        if self.state is not State.OPEN:
            return
        self._size += len(event.data)
        self._fragments += event.frame_finished
        if self._size > self._limits.fatal_bytes:
            self.fail(TOO_BIG, f"a message of over {self._limits.fatal_bytes} bytes")
        elif self._fragments > self._limits.fragments:
            self.fail(POLICY_VIOLATION, f"a message of over {self._limits.fragments} fragments")
        elif self._size <= self._limits.message_bytes:
            self._parts.append(event.data)  # type: ignore[arg-type]
        else:
            self._parts.clear()
        if event.message_finished and self.state is State.OPEN:
            received.append(self._whole(isinstance(event, TextMessage)))
            self._parts, self._size, self._fragments = [], 0, 0

    def _whole(self, is_text: bool) -> Received:
        if self._size > self._limits.message_bytes:
            return Oversized(self._size)
        if is_text:
            return "".join(self._parts)  # type: ignore[arg-type]
        return b"".join(self._parts)  # type: ignore[arg-type]

    def _end(self, event: CloseConnection) -> None:
        """Take the peer's close frame, or what wsproto says of a broken rule."""
        state, code, words = self._connection.state, int(event.code), event.reason or ""
        if state is ConnectionState.REMOTE_CLOSING:
            self._output.append(self._connection.send(event.response()))
            self._closed(code, words)
        elif state is ConnectionState.CLOSED:
            self._closed(self.close_code, self.close_reason)
        else:
            self.fail(code, words)

    # Out.

    def take_output(self) -> bytes:
        """Give what is to be sent, once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def send(self, message: "str | bytes | SharedText") -> None:
        """Send a message.

        :raises LocalProtocolError: the connection is not open.
        """
        if self.state is not State.OPEN:
            raise LocalProtocolError(f"a message for a WebSocket that is {self.state.name}")
        if isinstance(message, SharedText):
            if not self._connection.client:
                self._output.append(message.frame(self._deflates))
                return
            message = message.text
        event = TextMessage(message) if isinstance(message, str) else BytesMessage(message)
        self._output.append(self._connection.send(event))

    def close(self, code: int, reason: str, now: float) -> None:
        """Begin to end the connection; what was sent before arrives."""
        if self.state is State.OPEN:
            self._output.append(self._connection.send(CloseConnection(code, reason)))
            self.state, self._closing_since = State.CLOSING, now
            self.close_code, self.close_reason = code, reason

    def fail(self, code: int, reason: str) -> None:
        """End the connection without waiting for the peer's answer (RFC 6455 §7.1.7)."""
        if self.state is State.OPEN:
            self._output.append(self._connection.send(CloseConnection(code, reason)))
        self._closed(code, reason)

    def _closed(self, code: int, reason: str) -> None:
        self.state = State.CLOSED
        self.close_code, self.close_reason = code, reason
        self._parts.clear()

    # Time.

    def next_timeout(self) -> float | None:
        """Say when `time_out` is to be called next; None once the connection is closed."""
        if self.state is State.CLOSING:
            return self._closing_since + CLOSE_SECONDS
        if self.state is State.CLOSED:
            return None
        return min(self._ping_due, self._heard + self._limits.silence_seconds)

    def time_out(self, now: float) -> None:
        """Ping a silent peer, or give it up."""
        if self.state is State.CLOSING and now >= self._closing_since + CLOSE_SECONDS:
            self._closed(self.close_code, self.close_reason)
        elif self.state is State.OPEN:
            if now >= self._heard + self._limits.silence_seconds:
                self._closed(ABNORMAL, f"silent for {self._limits.silence_seconds:.0f} seconds")
            elif now >= self._ping_due:
                self._pinged = now
                self._output.append(self._connection.send(Ping()))

    @property
    def _ping_due(self) -> float:
        return max(self._heard, self._pinged) + self._limits.ping_seconds


class SharedText:
    """A text message for many clients: its frame is made once for all of them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._frames: dict[bool, bytes] = {}

    def frame(self, deflated: bool) -> bytes:
        """Give the frame as a server sends it; nothing of a frame before goes into it."""
        frame = self._frames.get(deflated)
        if frame is None:
            agreed = agreed_deflate(["permessage-deflate"]) if deflated else None
            protocol = FrameProtocol(client=False, extensions=[agreed[0]] if agreed else [])
            frame = self._frames[deflated] = bytes(protocol.send_data(self.text))
        return frame


class Deflate(PerMessageDeflate):
    """Compression that stands a ping between the fragments of a message.

    wsproto 1.3 takes a control frame for the end of the message that it interrupts.
    """

    _is_control = False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        """Begin a frame."""
        self._is_control = opcode.iscontrol()
        if self._is_control:
            return RsvBits(False, False, False)  # none may be set
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        """Unpack a part of a frame."""
        return data if self._is_control else super().frame_inbound_payload_data(proto, data)

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        """End a frame."""
        return None if self._is_control else super().frame_inbound_complete(proto, fin)


#: Parameters of an offer of permessage-deflate that we can agree to. One that narrows the server's
#: window is not among them: frames are made once for all clients.
_PARAMETER = re.compile(
    "client_max_window_bits(=[0-9]+)?|(client|server)_no_context_takeover|server_max_window_bits=15"
)


def agreed_deflate(offers: Iterable[str]) -> tuple[Deflate, str] | None:
    """Agree to the first offer of permessage-deflate that suits a server; None: to none.

    Neither side keeps its window from one message to the next: a client would cost 300 KiB.

    :param offers: the elements of ``Sec-WebSocket-Extensions``.
    :returns: the extension, and what is to be answered.

    Source: RFC 7692 §7.1.
    """
    for offer in offers:
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name != PerMessageDeflate.name or not all(map(_PARAMETER.fullmatch, parameters)):
            continue
        extension = Deflate(client_no_context_takeover=True, server_no_context_takeover=True)
        agreed = extension.accept(offer)
        if isinstance(agreed, str):  # not if the window is none of 9 to 15 bits
            return extension, f"{name}; {agreed}"
    return None
