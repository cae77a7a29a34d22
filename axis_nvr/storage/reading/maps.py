"""Maps of blocks that were read lately, for all cursors of a disk."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock

from axis_nvr.storage.files import IFiles
from axis_nvr.storage.layout import block_file, recording_folder
from axis_nvr.storage.reading.blocks import BlockMap, read_map
from axis_nvr.storage.reading.trail import Stretch

#: Blocks whose maps are kept.
MAX_MAPS = 128
#: Groups of all maps that are kept together: some 100 bytes each.
MAX_KEPT_GROUPS = 200_000

_Key = tuple[str, str, int | None, int | None]


class MapCache:
    """Keeps the maps of blocks used last; safe for threads.

    :param folder: the disk's folder.
    :ivar files: the same.
    """

    def __init__(self, files: IFiles, folder: Path) -> None:
        self.files = files
        self._folder = folder
        self._maps: OrderedDict[_Key, BlockMap] = OrderedDict()
        self._groups = 0
        self._lock = Lock()

    def path(self, stretch: Stretch) -> Path:
        """Give a block's file.

        :raises WireError: the index names no such ids.
        """
        return block_file(recording_folder(self._folder, stretch.recording_id), stretch.block_id)

    def get(self, stretch: Stretch, *, is_new: bool = False) -> BlockMap:
        """Give the map of a block; of one that is open, as it was when it was last looked at.

        :param is_new: look at an open block's file again.
        :raises StorageError: see `axis_nvr.storage.reading.blocks.read_map`, also below.
        """
        key = (stretch.recording_id, stretch.block_id, stretch.stop_us, stretch.good_bytes)
        with self._lock:
            known = self._maps.get(key)
            if known is not None:
                self._maps.move_to_end(key)
        grows = stretch.stop_us is None
        if known is not None and not (grows and is_new):
            return known
        found = read_map(
            self.files,
            self.path(stretch),
            known=known,
            good_bytes=stretch.good_bytes,
            grows=grows,
        )
        self._keep(key, found)
        return found

    def forget(self, stretch: Stretch) -> None:
        """Drop a block's map: its file is not what it was."""
        key = (stretch.recording_id, stretch.block_id, stretch.stop_us, stretch.good_bytes)
        with self._lock:
            known = self._maps.pop(key, None)
            self._groups -= 0 if known is None else len(known.groups)

    def _keep(self, key: _Key, found: BlockMap) -> None:
        with self._lock:
            before = self._maps.pop(key, None)
            self._maps[key] = found
            self._groups += len(found.groups) - (0 if before is None else len(before.groups))
            while len(self._maps) > MAX_MAPS or (
                self._groups > MAX_KEPT_GROUPS and len(self._maps) > 1
            ):
                _, dropped = self._maps.popitem(last=False)
                self._groups -= len(dropped.groups)
