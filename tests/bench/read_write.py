"""The limit: a loop that receives what an RTSP server sends and writes it to a file, no more.

Run as ``python -m tests.bench.read_write URL FILE``; prints ``playing`` once the stream plays.
"""

import os
import socket
import sys
from urllib.parse import urlsplit

READ_BYTES = 256 * 1024


def main() -> None:
    """Ask for the stream's first track, then receive and write until the server closes."""
    url, path = sys.argv[1:]
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port))
    transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
    for number, (method, target, header) in enumerate(
        (("SETUP", f"{url}/stream=0", transport), ("PLAY", url, "Session: 1\r\n")), 1
    ):
        connection.sendall(f"{method} {target} RTSP/1.0\r\nCSeq: {number}\r\n{header}\r\n".encode())
        while not connection.recv(4096).endswith(b"\r\n\r\n"):
            pass
    sys.stdout.write("playing\n")
    sys.stdout.flush()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    buffer = bytearray(READ_BYTES)
    view = memoryview(buffer)
    while size := connection.recv_into(buffer):
        os.write(file, view[:size])
    os.close(file)
    sys.stdin.readline()  # until our CPU time has been read


if __name__ == "__main__":
    main()
