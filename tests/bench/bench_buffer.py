"""What `GopBuffer.push` costs for each unit, beside a bare append to a list.

Run ``python -m tests.bench.bench_buffer``. 256 cameras of 30 pictures a second share one core with
everything else: 7 680 units a second, of which the buffer may take 1 µs each.
"""

from time import perf_counter_ns

from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.units import AccessUnit, Codec, VideoFormat

FORMAT = VideoFormat(Codec.H264, b"", 1920, 1080)
UNITS = [
    AccessUnit(0, n * 33_333, n * 3_000, n % 64 == 0, b"x" * 16, FORMAT) for n in range(300_000)
]


class Watcher:
    """Takes every unit and keeps none."""

    def unit_received(self, unit: AccessUnit) -> None:
        """Take it."""

    gop_closed = interrupted = unit_received


def nanoseconds_each(buffer: GopBuffer) -> float:
    """Push all units; the cost of one, the loop's own share included."""
    push = buffer.push
    begin = perf_counter_ns()
    for unit in UNITS:
        push(unit)
    return (perf_counter_ns() - begin) / len(UNITS)


def main() -> None:
    """Print the figures, the best of five runs each."""
    bare: list[AccessUnit] = []
    begin = perf_counter_ns()
    for unit in UNITS:
        bare.append(unit)  # noqa: PERF402 - a loop is what is measured
    print(f"bare append                 {(perf_counter_ns() - begin) / len(UNITS):7.0f} ns a unit")
    for name, watchers in (("no one watches", 0), ("one consumer of units", 1), ("four", 4)):
        figures = []
        for _ in range(5):
            buffer = GopBuffer(5)
            for _ in range(watchers):
                buffer.subscribe(Watcher())  # type: ignore[arg-type]
            figures.append(nanoseconds_each(buffer))
        print(f"push, {name:22}{min(figures):7.0f} ns a unit")


if __name__ == "__main__":
    main()
