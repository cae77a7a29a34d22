"""NTP timestamps, as RTCP and the ONVIF replay extension carry them.

64 bits: seconds since 1900-01-01T00:00:00Z, then their fraction in 2⁻³² s. The seconds wrap in
2036; by RFC 4330 §3 a clear top bit means the era that begins then.
"""

#: From 1900-01-01 to 1970-01-01, in seconds (RFC 868).
NTP_TO_UNIX_SECONDS = 2_208_988_800

#: 2036-02-07T06:28:16Z, where the second era begins, in seconds since 1970.
SECOND_ERA_SECONDS = (1 << 32) - NTP_TO_UNIX_SECONDS


def utc_us_from_ntp(ntp_64: int) -> int:
    """Turn an NTP timestamp into microseconds since 1970, rounded.

    :param ntp_64: 32 bits of seconds, 32 bits of fraction. 0 ("unknown") is not special here
        and reads as 2036: check first.

    Source: RFC 3550 §4; RFC 4330 §3.
    """
    seconds, fraction = divmod(ntp_64, 1 << 32)
    if not seconds & 0x8000_0000:
        seconds += 1 << 32
    return (seconds - NTP_TO_UNIX_SECONDS) * 1_000_000 + ((fraction * 1_000_000 + (1 << 31)) >> 32)


def ntp_from_utc_us(utc_us: int) -> int:
    """Turn microseconds since 1970 into an NTP timestamp.

    :returns: 64 bits; `utc_us_from_ntp` gives the same microsecond back for 1968 to 2104.

    Source: RFC 3550 §4.
    """
    seconds, microseconds = divmod(utc_us, 1_000_000)
    seconds = (seconds + NTP_TO_UNIX_SECONDS) & 0xFFFF_FFFF
    return seconds << 32 | ((microseconds << 32) + 500_000) // 1_000_000
