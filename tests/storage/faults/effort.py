"""How much is tried: a sample that takes seconds, or with ``--all`` as much as is sensible."""

import os
from random import Random

#: Set by ``tools/run_tests.py --all``.
IS_THOROUGH = bool(os.environ.get("AXIS_NVR_TEST_ALL"))


def either(quick: int, thorough: int) -> int:
    """Give a number of tries."""
    return thorough if IS_THOROUGH else quick


def draw() -> tuple[int, Random]:
    """Give a seed to be told when something fails, and what draws by it.

    It is the same each time in ``make test``, so that a red test speaks of the change. A seed in
    ``AXIS_NVR_TEST_SEED`` draws again what failed.
    """
    given = os.environ.get("AXIS_NVR_TEST_SEED", "1" if os.environ.get("CI") else "")
    seed = int(given) if given else Random().randrange(1 << 32)
    return seed, Random(seed)
