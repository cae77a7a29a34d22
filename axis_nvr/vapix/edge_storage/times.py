"""Times of the recording APIs: in requests, in replies, and local.

In requests ``YYYY-MM-DDTHH:MM:SS[.ffff]`` with ``Z``, with an offset ``±hh:mm``, or with neither,
which is UTC. In replies always six digits behind the point.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from axis_nvr.errors import WireError
from axis_nvr.storage.layout import utc_datetime

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:Z|([+ -])([0-9]{2}):([0-9]{2}))?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str) -> int:
    """Read a time of a request as UTC microseconds since 1970.

    A ``+`` that was not percent-encoded has become a space on its way, and is read as it was meant.

    :raises WireError: another form, or no such time.
    """
    match = _TIME.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        whole, fraction, sign, hours, minutes = match.groups()
        time = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        if sign is not None:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            time = time + offset if sign == "-" else time - offset
    except (ValueError, OverflowError):
        raise WireError(f"no time: {text!r:.60}") from None
    microseconds = (time - _EPOCH) // timedelta(microseconds=1)
    return microseconds + int((fraction or "0")[:6].ljust(6, "0"))


def time_texts(utc_us: int, zone: tzinfo | None = None) -> tuple[str, str]:
    """Give a time in UTC, and in local time with its offset.

    :param zone: None is the zone of this machine.
    """
    time = utc_datetime(utc_us)
    utc = time.isoformat(timespec="microseconds")
    return f"{utc[:26]}Z", time.astimezone(zone).isoformat(timespec="microseconds")
