"""Modifiers: what stands in a message for the time, or for this recorder.

====================================  =================================================
``%a %A %b %B %c %C %d %D %e %F %g``  as `strftime` of the C library has them, in English
``%G %h %H %I %j %k %l %m %M %p %r``
``%R %S %T %u %U %V %w %W %x %X %y``
``%Y %z %Z``
``%f``                                hundredths of a second, two digits
``%s``                                seconds since 1970, UTC
``#i #n``                             our address, our host name
``#M #m``                             the serial number written as a MAC address; its last half
``%% ##``                             the sign itself
====================================  =================================================

The time is that of the trigger, local time. What has no meaning for a recorder (fans, temperatures,
pictures, pan and tilt) or is no modifier stays as it was written.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

_MODIFIER = re.compile("%[aAbBcCdDeFgGhHIjklmMprRSTuUVwWxXyYzZfs%]|#[imMn#]")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are.

    :param serial: 12 hexadecimal digits.
    """

    serial: str
    host_name: str
    address: str


class Modifiers:
    """Puts in what modifiers stand for.

    :param identity: says who we are, at the time.
    :param local: gives the local time of seconds since 1970.
    """

    def __init__(
        self,
        identity: Callable[[], Identity],
        local: Callable[[float], time.struct_time] = time.localtime,
    ) -> None:
        self._identity = identity
        self._local = local

    def expand(self, text: str, utc_us: int) -> str:
        """Give a text with its modifiers replaced.

        :param utc_us: the time that they mean, µs since 1970.
        """
        if "%" not in text and "#" not in text:
            return text
        return _MODIFIER.sub(lambda found: self._value(found[0], utc_us), text)

    def _value(self, modifier: str, utc_us: int) -> str:
        sign, letter = modifier[0], modifier[1]
        if sign == letter:
            return sign
        if sign == "#":
            return self._own(letter)
        if letter == "f":
            return f"{utc_us // 10_000 % 100:02}"
        if letter == "s":
            return f"{utc_us // 1_000_000}"
        return time.strftime(modifier, self._local(utc_us // 1_000_000))

    def _own(self, letter: str) -> str:
        identity = self._identity()
        pairs = [identity.serial[n : n + 2] for n in range(0, 12, 2)]
        values = {"M": ":".join(pairs), "m": ":".join(pairs[3:])}
        return {"i": identity.address, "n": identity.host_name, **values}[letter]
