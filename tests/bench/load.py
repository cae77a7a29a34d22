"""A cheap load generator: one prepared stream, served to hundreds of RTSP clients at once.

Each client gets its packets one by one at the moment they are due, as cameras send, each behind
the others by a part of a GOP: no two cameras have their key frames at the same moment. With
``--flood`` the bytes go as fast as the client takes them. Only what a recorder asks of a camera is
answered: OPTIONS, DESCRIBE, SETUP (interleaved), PLAY, GET_PARAMETER, TEARDOWN.

Run as ``python -m tests.bench.load``; prints ``port N`` when it listens, and at the end one line
of JSON with what was sent.
"""

import argparse
import base64
import json
import selectors
import socket
import sys
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.stream import (
    CAMERAS,
    CLOCK_RATE,
    PAYLOAD_TYPE,
    SSRC,
    PreparedStream,
    encode,
    prepare,
)

TICK_SECONDS = 0.001
REPORT_SECONDS = 5.0
GOP_SECONDS = 2.0
SEND_BUFFER_BYTES = 1 << 20
NTP_OFFSET_SECONDS = 2_208_988_800


@dataclass(slots=True)
class Client:
    """One connection: its dialogue, then its place in the stream."""

    connection: socket.socket
    number: int
    received: bytearray = field(default_factory=bytearray)
    started: float = 0.0
    next_packet: int = 0
    sent_of_packet: int = 0
    unsent: bytes = b""  # of a report
    next_report: float = 0.0
    lost: bool = False


def describe(stream: PreparedStream, url: str) -> bytes:
    """Build the SDP of the one video track."""
    sets = ",".join(base64.b64encode(unit).decode() for unit in stream.parameter_sets)
    level = stream.parameter_sets[0][1:4].hex()
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=load\r\nt=0 0\r\na=control:*\r\n"
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}\r\na=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_RATE}\r\n"
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={level};"
        f"sprop-parameter-sets={sets}\r\na=framerate:{stream.frame_rate}\r\na=control:{url}/stream=0\r\n"
    ).encode()


def sender_report(elapsed: float) -> bytes:
    """Build an interleaved RTCP sender report (RFC 3550 §6.4.1) for this moment."""
    seconds = time.time() + NTP_OFFSET_SECONDS
    ntp_64 = int(seconds * 2**32)
    timestamp = int(elapsed * CLOCK_RATE) & 0xFFFFFFFF
    body = b"\x80\xc8\0\6" + SSRC.to_bytes(4, "big") + ntp_64.to_bytes(8, "big")
    body += timestamp.to_bytes(4, "big") + bytes(8)
    return b"$\1" + len(body).to_bytes(2, "big") + body


class LoadServer:
    """Serves one stream to many clients."""

    def __init__(self, stream: PreparedStream, flood: bool, delay: float = 0.0) -> None:
        self._stream = stream
        self._view = memoryview(stream.data)
        self._flood = flood
        self._delay = delay
        self._selector = selectors.DefaultSelector()
        self._playing: list[Client] = []
        self._seen = 0
        self.packets = 0
        self.octets = 0
        self.blocked = 0

    def listen(self) -> int:
        """Listen on a free port of the loopback interface, and tell which."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, None)
        return int(listener.getsockname()[1])

    def run(self, seconds: float) -> None:
        """Serve until `seconds` after the first PLAY, or until every client has left."""
        first_play, ever_played = 0.0, False
        give_up = time.monotonic() + 120
        while time.monotonic() < (first_play + seconds if ever_played else give_up):
            wait = TICK_SECONDS if self._playing else 0.1
            for key, _ in self._selector.select(wait):
                if key.data is None:
                    self._accept(key.fileobj)  # type: ignore[arg-type]
                else:
                    self._converse(key.data)
            if self._playing and not ever_played:
                first_play, ever_played = time.monotonic(), True
            for client in self._playing:
                (self._send_all if self._flood else self._send_due)(client)
            if any(client.lost for client in self._playing):
                self._playing = [client for client in self._playing if not client.lost]
                if not self._playing:
                    break

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._seen += 1
        client = Client(connection, self._seen)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _converse(self, client: Client) -> None:
        try:
            data = client.connection.recv(65536)
            client.received += data
            self._answer_requests(client)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(client.connection)
            client.connection.close()
            client.lost = True

    def _answer_requests(self, client: Client) -> None:
        while client.received[:1] == b"$" and len(client.received) >= 4:  # receiver reports
            del client.received[: 4 + int.from_bytes(client.received[2:4], "big")]
        while (end := client.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(client.received[:end]).decode("latin-1")
            del client.received[: end + 4]
            self._answer(client, head)

    def _answer(self, client: Client, head: str) -> None:
        method, url, *_ = head.split()
        headers = dict(line.split(":", 1) for line in head.split("\r\n")[1:])
        fields = {key.strip().lower(): value.strip() for key, value in headers.items()}
        reply, body = [f"CSeq: {fields['cseq']}", "Session: 1;timeout=60"], b""
        if method == "OPTIONS":
            reply.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
        elif method == "DESCRIBE":
            body = describe(self._stream, url)
            reply += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            reply.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        client.connection.setblocking(True)
        client.connection.sendall(client.unsent)  # nothing may come between the halves of a frame
        client.unsent = b""
        if client.sent_of_packet:
            self._send_packet(client)
        client.connection.sendall("\r\n".join(["RTSP/1.0 200 OK", *reply, "", ""]).encode() + body)
        if method == "PLAY":
            phase = client.number * 37 % 64 / 64 * GOP_SECONDS
            client.started = time.monotonic() + self._delay + phase
            self._playing.append(client)
        client.connection.setblocking(self._flood)  # what is flooded may wait

    def _send_due(self, client: Client) -> None:
        now = time.monotonic()
        elapsed = now - client.started
        stream = self._stream
        stop = bisect_right(stream.due, elapsed, client.next_packet)
        try:
            if now >= client.next_report and not client.sent_of_packet:
                client.unsent = sender_report(elapsed)
                client.next_report = now + REPORT_SECONDS
            if client.unsent:
                client.unsent = client.unsent[client.connection.send(client.unsent) :]
                if client.unsent:
                    raise BlockingIOError
            while client.next_packet < stop:
                self._send_packet(client)
        except BlockingIOError:
            self.blocked += 1
        except OSError:
            client.lost = True

    def _send_packet(self, client: Client) -> None:
        """Send one packet; what the socket does not take at once goes out at the next tick."""
        number = client.next_packet
        start = self._stream.ends[number - 1] if number else 0
        end = self._stream.ends[number]
        sent = client.connection.send(self._view[start + client.sent_of_packet : end])
        client.sent_of_packet += sent
        self.octets += sent
        if start + client.sent_of_packet < end:
            raise BlockingIOError
        client.next_packet += 1
        client.sent_of_packet = 0
        self.packets += 1

    def _send_all(self, client: Client) -> None:
        if time.monotonic() < client.started:
            return
        try:
            client.connection.sendall(sender_report(0.0))
            client.connection.sendall(self._view)
            self.packets += len(self._stream.ends)
            self.octets += len(self._view)
        except OSError:
            pass
        client.lost = True


def main() -> None:
    """Prepare the stream, serve it, and print what was sent."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where encoded streams are kept")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to send")
    parser.add_argument("--flood", action="store_true", help="send as fast as the client reads")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds from PLAY to the start")
    parser.add_argument("--camera", choices=CAMERAS, default="hd", help="what is sent")
    arguments = parser.parse_args()
    camera = CAMERAS[arguments.camera]
    encoded = encode(arguments.folder, camera)
    stream = prepare(encoded, camera.frame_rate, arguments.seconds + 5)
    server = LoadServer(stream, arguments.flood, arguments.delay)
    print("port", server.listen(), flush=True)
    server.run(arguments.seconds)
    sent = {"packets": server.packets, "octets": server.octets, "blocked": server.blocked}
    print(json.dumps(sent | {"cpu_seconds": time.process_time()}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
