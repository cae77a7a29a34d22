"""Who is answered: neighbours, and none of them without end.

Discovery is answered to whoever asks, in datagrams that are longer than the question, and the
sender of a question is easily forged. So that nobody is flooded through us, only addresses on the
network where the question came from get an answer, each so many in a second and no more, all
together no more than a bound; and what is remembered of them is bounded.

Source: RFC 6762 §11.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_address

#: Addresses whose questions are counted.
MAX_COUNTED = 1000

Interface = IPv4Interface | IPv6Interface


@dataclass(slots=True, eq=False)
class _Quota:
    """How many answers there were in the second that runs."""

    second: int = -1
    answers: int = 0

    def take(self, now: float, limit: int) -> bool:
        if int(now) != self.second:
            self.second, self.answers = int(now), 0
        self.answers += 1
        return self.answers <= limit


@dataclass(slots=True, eq=False)
class Neighbours:
    """Decides who is answered.

    :param per_second: answers in a second, of one address.
    :param all_per_second: the same of all together.
    :ivar ignored: how many were not answered, because they came too often or from elsewhere.
    """

    per_second: int
    all_per_second: int
    ignored: int = 0
    _quotas: dict[str, _Quota] = field(default_factory=dict)
    _all: _Quota = field(default_factory=_Quota)

    def admit(self, host: str, interfaces: Iterable[Interface], now: float) -> bool:
        """Tell whether a question is answered, and count it.

        :param host: the address it came from; an IPv6 one may name its zone.
        :param interfaces: our addresses where it came in, with their networks.
        """
        welcome = _is_near(host, interfaces) and self._has_quota(host, now)
        self.ignored += not welcome
        return welcome

    def _has_quota(self, host: str, now: float) -> bool:
        if host not in self._quotas and len(self._quotas) >= MAX_COUNTED:
            self._quotas.clear()
        quota = self._quotas.setdefault(host, _Quota())
        return quota.take(now, self.per_second) and self._all.take(now, self.all_per_second)


def _is_near(host: str, interfaces: Iterable[Interface]) -> bool:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_multicast or address.is_unspecified:
        return False
    return address.is_link_local or any(address in interface.network for interface in interfaces)
