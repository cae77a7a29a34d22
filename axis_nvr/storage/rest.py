"""Rest for a disk that takes nothing: after a failure groups are refused untried for a while.

A full disk refuses each group of each camera only after folders and files were made and removed
again, and each says so in the log. So once a whole batch has failed, the next group is tried after
a second; the wait doubles while nothing works, and ends with the first group that does.
"""

from axis_nvr.errors import StorageError, StorageErrorKind

#: The first wait, and the longest, in seconds.
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 10.0
#: An error that may be of one file only makes a disk rest when it comes so often in a row.
MAX_FAILURES = 3


class Rest:
    """When a disk is tried again.

    :ivar failures: batches of which no group was stored, since one was.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._error: StorageError | None = None
        self._until = 0.0
        self._wait_seconds = FIRST_REST_SECONDS

    def worked(self) -> None:
        """A group was stored."""
        self.failures, self._error, self._wait_seconds = 0, None, FIRST_REST_SECONDS

    def failed(self, error: StorageError, now: float) -> None:
        """No group of a batch was stored."""
        self.failures += 1
        if error.kind is StorageErrorKind.FAILED and self.failures < MAX_FAILURES:
            return
        self._error = error
        self._until = now + self._wait_seconds
        self._wait_seconds = min(2 * self._wait_seconds, LONGEST_REST_SECONDS)

    def refusal(self, now: float) -> StorageError | None:
        """Give the error that a group is refused with untried; None if it is to be tried."""
        return self._error if now < self._until else None
