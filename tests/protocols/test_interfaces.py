"""Which interfaces there are."""

from ipaddress import ip_interface
from pathlib import Path

from ifaddr import IP, Adapter
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols import interfaces
from axis_nvr.protocols.interfaces import (
    MAX_ADDRESSES,
    MAX_INTERFACES,
    network_interfaces,
    one_of_each_kind,
)


def adapter(name: str, number: int, *addresses: str) -> Adapter:
    ips = []
    for text in addresses:
        address = ip_interface(text)
        ip = (str(address.ip), 0, number) if address.version == 6 else str(address.ip)
        ips.append(IP(ip, address.network.prefixlen, name))
    return Adapter(name, name, ips, index=number)


class InterfaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Path(self.mktemp())
        self.patch(interfaces, "IPV6_ADDRESSES", self.table)

    def test_all_addresses(self) -> None:
        """Each interface with all that it has; the loopback, and one without any, are left out."""
        (lan,) = network_interfaces(
            [
                adapter("lo", 1, "127.0.0.1/8", "::1/128"),
                adapter("eth0", 2, "192.0.2.1/24", "192.0.2.2/24", "fe80::1/64", "2001:db8::1/64"),
                adapter("eth1", 3),
            ]
        )
        self.assertEqual((lan.name, lan.number), ("eth0", 2))
        self.assertEqual(
            [str(address) for address in lan.addresses],
            ["192.0.2.1/24", "192.0.2.2/24", "fe80::1/64", "2001:db8::1/64"],
        )
        kinds = [str(each.interface.ip) for each in one_of_each_kind(lan)]
        self.assertEqual(kinds, ["192.0.2.1", "fe80::1", "2001:db8::1"])

    def test_an_address_that_is_still_tried(self) -> None:
        """An IPv6 address that the system does not let us use yet, or never will, is not listed."""
        self.table.write_text(
            "20010db8000000000000000000000001 02 40 00 40     eth0\n"
            "20010db8000000000000000000000002 02 40 00 88     eth0\n"
            "fe800000000000000000000000000001 02 40 20 80     eth0\n"
        )
        (lan,) = network_interfaces(
            [adapter("eth0", 2, "2001:db8::1/64", "2001:db8::2/64", "fe80::1/64")]
        )
        self.assertEqual([str(address.ip) for address in lan.addresses], ["fe80::1"])

    def test_a_table_that_is_not_understood(self) -> None:
        """It takes nothing away."""
        self.table.write_text("something else\n")
        self.assertEqual(len(network_interfaces([adapter("eth0", 2, "fe80::1/64")])), 1)

    def test_bounds(self) -> None:
        """A machine with very many has some left out."""
        many = [f"10.0.{n // 250}.{n % 250 + 1}/16" for n in range(40)]
        found = network_interfaces([adapter(f"veth{n}", n, *many) for n in range(100)])
        self.assertEqual(len(found), MAX_INTERFACES)
        self.assertEqual({len(each.addresses) for each in found}, {MAX_ADDRESSES})

    def test_this_machine(self) -> None:
        """The system's own list can be read."""
        network_interfaces()
