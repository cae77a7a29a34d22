"""What goes on at a disk beside recording, by its configuration."""

from collections.abc import Sequence

from axis_nvr.config.disk import DiskConfig
from axis_nvr.storage.checking.scrub import Scrub
from axis_nvr.storage.chore_thread import ChoreMaker


def chores_for(config: DiskConfig) -> Sequence[ChoreMaker]:
    """Make what makes a disk's chores, in the order in which they have their first step.

    :param config: the disk's.
    """
    chores: list[ChoreMaker] = []
    if config.scrub_days:
        chores.append(lambda premises: Scrub(premises, config.scrub_days))
    return chores
