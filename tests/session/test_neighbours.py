"""Who is answered: neighbours, within bounds."""

from ipaddress import ip_interface

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.neighbours import MAX_COUNTED, Neighbours

LAN = ip_interface("192.0.2.10/24")
LAN_6 = ip_interface("2001:db8::10/64")


class NeighboursTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.neighbours = Neighbours(per_second=3, all_per_second=10)

    def admits(self, host: str, now: float = 0.0) -> bool:
        return self.neighbours.admit(host, [LAN, LAN_6], now)

    def test_neighbours(self) -> None:
        """Whoever is on a network of ours, link-local ones with their zone too, however written."""
        for host in (
            "192.0.2.99",
            "::ffff:192.0.2.98",
            "2001:db8::99",
            "fe80::1%eth0",
            "fe80::2%3",
            "169.254.3.4",
        ):
            self.assertTrue(self.admits(host), host)
        self.assertEqual(self.neighbours.ignored, 0)

    def test_strangers(self) -> None:
        """Nobody else: no other network, no group, nothing that is no address."""
        for host in (
            "203.0.113.5",
            "::ffff:203.0.113.5",
            "2001:db8:1::1",
            "0.0.0.0",  # noqa: S104
            "224.0.0.251",
            "ff02::fb",
            "somebody",
            "",
        ):
            self.assertFalse(self.admits(host), host)
        self.assertEqual(self.neighbours.ignored, 8)

    def test_one_that_asks_too_often(self) -> None:
        """So many times a second, and again in the next."""
        self.assertEqual([self.admits("192.0.2.1") for _ in range(5)], [True] * 3 + [False] * 2)
        self.assertTrue(self.admits("192.0.2.1", 1.0))

    def test_one_that_asks_too_often_takes_nothing_from_others(self) -> None:
        """What it is refused is not counted for all."""
        for _ in range(100):
            self.admits("192.0.2.1")
        self.assertTrue(self.admits("192.0.2.2"))

    def test_many(self) -> None:
        """All together have a bound."""
        admitted = [self.admits(f"192.0.2.{n}") for n in range(100)]
        self.assertEqual(sum(admitted), 10)

    def test_what_is_remembered_is_bounded(self) -> None:
        """However many addresses ask, which in IPv6 costs nothing."""
        for number in range(3 * MAX_COUNTED):
            self.admits(f"2001:db8::{number:x}")
            self.assertLessEqual(len(self.neighbours._quotas), MAX_COUNTED)
