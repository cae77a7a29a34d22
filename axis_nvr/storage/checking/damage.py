"""What the index keeps of damage: which parts of which blocks readers pass over."""

from collections.abc import Iterable

from axis_nvr.storage.checking.findings import Finding
from axis_nvr.storage.index import Index


def note_damage(index: Index, row_id: int, findings: Iterable[Finding], now_us: int) -> bool:
    """Keep what a check of a block found to be lost, in place of what an earlier one found.

    To be called within a transaction.

    :param row_id: the block's row; nothing is kept if it is gone.
    :param now_us: UTC, microseconds since 1970.
    :returns: whether anything is lost.
    """
    index.execute("DELETE FROM nvr_damage WHERE block_id = ?", row_id)
    losses = [(finding.loss, finding.message) for finding in findings if finding.loss is not None]
    for loss, message in losses:
        index.execute(
            "INSERT INTO nvr_damage (block_id, start_us, end_us, offset, size_bytes, reason,"
            " found_us) SELECT id, ?, ?, ?, ?, ?, ? FROM blocks WHERE id = ?",
            *(loss.start_us, loss.end_us, loss.offset, loss.size_bytes),
            *(message, now_us, row_id),
        )
    return bool(losses)


def has_damage(index: Index, row_id: int) -> bool:
    """Tell whether anything is kept of a block."""
    query = "SELECT 1 FROM nvr_damage WHERE block_id = ? LIMIT 1"
    return any(True for _ in index.query(query, row_id))


def damaged_blocks(index: Index) -> int:
    """Count the blocks of which something is known to be lost."""
    ((count,),) = index.query("SELECT COUNT(DISTINCT block_id) FROM nvr_damage")
    return int(count)
