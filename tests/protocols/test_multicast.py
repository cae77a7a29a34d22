"""How multicast groups are joined."""

import errno
import socket
import struct

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.protocols.multicast import is_source_specific, join_group


class FakeSocket:
    """Notes what is asked of it."""

    def __init__(self, family: int, error: OSError | None) -> None:
        self.family = family
        self.error = error
        self.bound: tuple[object, ...] = ()
        self.options: dict[tuple[int, int], object] = {}
        self.closed = False

    def bind(self, address: tuple[object, ...]) -> None:
        self.bound = address

    def setsockopt(self, level: int, option: int, value: object) -> None:
        if self.error is not None and level != socket.SOL_SOCKET:
            raise self.error
        self.options[level, option] = value

    def close(self) -> None:
        self.closed = True


class JoinTests(SynchronousTestCase):
    def join(
        self, group: str, interface: str, source: str = "", error: OSError | None = None
    ) -> list[FakeSocket]:
        self.made: list[FakeSocket] = []

        def make(family: int, kind: int) -> FakeSocket:
            self.made.append(FakeSocket(family, error))
            return self.made[-1]

        join_group(group, (4000, 4001), interface, source=source, ttl=3, make_socket=make)  # type: ignore[arg-type]
        return self.made

    def test_any_source(self) -> None:
        """Both ports join the group on the interface given, bound to the group, sharable."""
        rtp, rtcp = self.join("239.1.2.3", "192.0.2.9")
        self.assertEqual((rtp.bound, rtcp.bound), (("239.1.2.3", 4000), ("239.1.2.3", 4001)))
        for sock in (rtp, rtcp):
            self.assertEqual(sock.options[socket.SOL_SOCKET, socket.SO_REUSEADDR], 1)
            membership = sock.options[socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP]
            self.assertEqual(membership, bytes([239, 1, 2, 3, 192, 0, 2, 9]))
            self.assertEqual(sock.options[socket.IPPROTO_IP, socket.IP_MULTICAST_TTL], 3)
            self.assertEqual(sock.options[socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP], 0)

    def test_one_source(self) -> None:
        """With the source known the group is joined for it alone."""
        rtp, _ = self.join("232.1.2.3", "192.0.2.9", "192.0.2.1")
        self.assertEqual(
            rtp.options[socket.IPPROTO_IP, 39], bytes([232, 1, 2, 3, 192, 0, 2, 9, 192, 0, 2, 1])
        )

    def test_ipv6(self) -> None:
        """The same with IPv6, the interface by its index."""
        group = socket.inet_pton(socket.AF_INET6, "ff15::1")
        rtp, _ = self.join("ff15::1", "fe80::9%3")
        self.assertEqual(rtp.bound, ("ff15::1", 4000, 0, 3))
        membership = rtp.options[socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP]
        self.assertEqual(membership, group + struct.pack("@I", 3))
        rtp, _ = self.join("ff35::1", "fe80::9%3", "2001:db8::1")
        request = rtp.options[socket.IPPROTO_IPV6, 46]
        assert isinstance(request, bytes)
        self.assertEqual(len(request), 8 + 128 + 128)
        self.assertEqual(request[:4], struct.pack("@I", 3))
        self.assertIn(socket.inet_pton(socket.AF_INET6, "2001:db8::1"), request[136:])

    def test_no_group(self) -> None:
        """An address that is no group is the camera's mistake, and says so."""
        for group in ("192.0.2.5", "nonsense", ""):
            with self.assertRaisesRegex(RemoteProtocolError, "no multicast group"):
                self.join(group, "192.0.2.9")

    def test_cannot_join(self) -> None:
        """What the kernel refuses is told, and no socket stays open."""
        with self.assertRaisesRegex(RemoteProtocolError, "cannot join 239.1.2.3:4000"):
            self.join("239.1.2.3", "192.0.2.9", error=OSError(errno.ENODEV, "no such device"))
        self.assertEqual([sock.closed for sock in self.made], [True])

    def test_source_specific(self) -> None:
        """The ranges that need a source are known."""
        for group in ("232.0.0.1", "ff3e::1"):
            self.assertTrue(is_source_specific(group))
        for group in ("239.0.0.1", "ff15::1"):
            self.assertFalse(is_source_specific(group))
