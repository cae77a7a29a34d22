"""What the index keeps of damage, as tests look at it."""

from axis_nvr.storage.checking.findings import Loss
from axis_nvr.storage.index import Index


def damage_of(index: Index, block_id: str) -> list[Loss]:
    """Give what of a block is known to be lost, in the order of the file."""
    rows = index.query(
        "SELECT d.start_us, d.end_us, d.offset, d.size_bytes FROM nvr_damage d"
        " JOIN blocks b ON b.id = d.block_id WHERE b.filename = ? ORDER BY d.offset",
        block_id,
    )
    return [Loss(*row) for row in rows]
