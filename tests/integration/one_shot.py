"""Ask once, from a port of its own, and write each answer: where it came from, and its bytes.

After the first answer others are waited for only a moment.

``one_shot.py <group> <port> <question in hexadecimal digits> <seconds>``
"""

import socket
import sys
import time

group, port, question, seconds = sys.argv[1:]
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.sendto(bytes.fromhex(question), (group, int(port)))
until = time.monotonic() + float(seconds)
while (left := until - time.monotonic()) > 0:
    asking.settimeout(left)
    try:
        data, (host, sender) = asking.recvfrom(9000)
    except TimeoutError:
        break
    sys.stdout.write(f"{host} {sender} {data.hex()}\n")
    until = min(until, time.monotonic() + 0.4)
sys.stdout.write("end\n")
sys.stdout.flush()
