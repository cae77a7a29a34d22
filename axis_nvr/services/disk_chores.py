"""What goes on at a disk beside recording, by its configuration."""

from collections.abc import Sequence

from axis_nvr.config.disk import DiskConfig
from axis_nvr.storage.checking.scrub import Scrub
from axis_nvr.storage.chore_thread import ChoreMaker
from axis_nvr.storage.errands import Errands
from axis_nvr.storage.repair.rebuild import Rebuild
from axis_nvr.storage.repair.unclean import Repair
from axis_nvr.storage.retention.chore import Retention
from axis_nvr.storage.retention.policy import Rules


def chores_for(
    config: DiskConfig, rules: Rules | None = None, errands: Errands | None = None
) -> Sequence[ChoreMaker]:
    """Make what makes a disk's chores, in the order in which they have their first step.

    :param config: the disk's.
    :param rules: what is removed, and when, which may change while the disk is in use; those of the
        configuration, if not given.
    :param errands: what is to be done at the disk for those who wait for it.
    """
    rules = rules_of(config) if rules is None else rules
    chores: list[ChoreMaker] = [Rebuild, Repair, lambda premises: Retention(premises, rules)]
    if errands is not None:
        chores.append(errands.chore)
    if config.scrub_days:
        chores.append(lambda premises: Scrub(premises, config.scrub_days))
    return chores


def rules_of(config: DiskConfig) -> Rules:
    """Give what is removed from a disk, and when, by its configuration."""
    return Rules(
        is_automatic=config.cleanup == "fifo",
        level_percent=config.level_percent,
        max_age_days=config.max_age_days,
    )
