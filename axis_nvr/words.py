"""Numbers as people read them: sizes, durations, counts of things.

For a page, a terminal or a sentence; what programs read is written by the layer of its format.
"""


def size_words(size_bytes: float) -> str:
    """Write a size in the unit that suits it, as disks are sold: powers of 1000."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size_bytes /= 1000
        if size_bytes < 1000:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / 1000:.1f} TB"


def duration_words(seconds: float) -> str:
    """Write how long something has lasted, in its two largest units."""
    whole = int(seconds)
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{count_words(days, 'day')} {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def count_words(number: int, noun: str) -> str:
    """Write how many there are of something.

    :param noun: of one; more of them get an s.
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
