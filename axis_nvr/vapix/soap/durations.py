"""Durations as XML Schema writes them: ``PT5S``, ``P1DT2H``, ``PT0.25S`` (XML Schema 2 §3.2.6)."""

import re
from decimal import Decimal

from axis_nvr.errors import WireError

_DURATION = re.compile(
    r"(-)?P(?=.)(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=.)(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?",
    re.ASCII,
)
#: A year and a month have no one length; these are as good as any for what is to be compared with
#: a limit.
_YEAR_DAYS, _MONTH_DAYS = 365, 30


def parse_duration(text: str) -> float:
    """Read a duration.

    :returns: seconds; a year is counted as 365 days, a month as 30.
    :raises WireError: it is none.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise WireError(f"a duration was expected, such as PT5S, not {text[:40]!a}")
    sign = -1 if match[1] else 1
    years, months, days, hours, minutes = (int(group or 0) for group in match.groups()[1:6])
    days += years * _YEAR_DAYS + months * _MONTH_DAYS
    whole = ((days * 24 + hours) * 60 + minutes) * 60
    return sign * float(whole + Decimal(match[7] or 0))


def write_duration(seconds: float) -> str:
    """Write a duration in its shortest form: no part that is zero, ``PT0S`` for none at all.

    :param seconds: written to the microsecond.
    """
    micros = round(Decimal(repr(seconds)) * 1_000_000)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    whole, micros = divmod(micros, 1_000_000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    clock = (f"{hour}H" if hour else "") + (f"{minute}M" if minute else "")
    if second or micros:
        clock += f"{second}{fraction}S"
    calendar = f"{days}D" if days else ""
    if not clock:
        return f"{sign}P{calendar}" if calendar else "PT0S"
    return f"{sign}P{calendar}T{clock}"
