"""What an earlier run left open, counted before this one writes its first.

Nothing is running when a disk is opened. So blocks and recordings whose rows have no stop time were
open when the recorder died. Their rows stay so, and say it again after the next stop; new
recordings start at once, however much there is to do, and the chore ``repair``
(`axis_nvr.storage.repair.unclean`) closes the old ones beside them.
"""

from axis_nvr.storage.index import Index

#: Good bytes of a block whose file is not understood: repair leaves it alone.
NOT_UNDERSTOOD = 0


def settle(index: Index) -> int:
    """Tell how many blocks and recordings an earlier run left open.

    :raises StorageError: the index cannot be read.
    """
    (blocks,) = index.first(
        "SELECT COUNT(*) FROM blocks INDEXED BY nvr_open_blocks WHERE stoptime IS NULL"
    )
    (recordings,) = index.first(
        "SELECT COUNT(*) FROM recordings INDEXED BY nvr_open_recordings WHERE stoptime IS NULL"
    )
    return int(blocks + recordings)
