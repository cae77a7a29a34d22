"""What of one camera moves, as far as it has told.

A camera has many motion areas, profiles and scenarios, each with a state of its own; something
moves as long as one of them is active. Told twice, a state is no news: a session begins by telling
all states, and each reconnection tells them again. Those that a new session does not tell are gone
(`MotionStates.doubt`, `MotionStates.forget_doubtful`).

Source: ONVIF Core Specification, property events.
"""

from axis_nvr.services.camera_events.motion_topics import MotionTopics
from axis_nvr.wire.notification import Items, Notification, Operation

#: Instances that are remembered of one camera, far more than any has areas and profiles. What is
#: beyond is not believed.
MAX_INSTANCES = 512

_Instance = tuple[str, Items, Items]
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


class MotionStates:
    """The states of one camera.

    :param topics: which count.
    :ivar is_in_doubt: a session has begun and may still be telling its states.
    :ivar ignored: notifications whose state is none, or of one instance too many.
    """

    def __init__(self, topics: MotionTopics) -> None:
        self._topics = topics
        self._active: dict[_Instance, bool] = {}
        self._doubtful: set[_Instance] = set()
        self.is_in_doubt = False
        self.ignored = 0

    @property
    def is_moving(self) -> bool:
        """Whether one of them is active."""
        return True in self._active.values()

    @property
    def known(self) -> int:
        """How many there are."""
        return len(self._active)

    def take(self, notification: Notification) -> bool:
        """Take what the camera tells.

        :returns: whether it is of motion, and was understood.
        """
        if not self._topics.counts(notification):
            return False
        instance = (
            notification.topic,
            tuple(sorted(notification.source)),
            tuple(sorted(notification.key)),
        )
        if notification.operation is Operation.DELETED:
            self._active.pop(instance, None)
            self._doubtful.discard(instance)
            return True
        told = self._topics.state(notification)
        if told is None:  # other data of the same application: VMD 4 draws its areas in SVG
            return False
        active = _BOOLEANS.get(told.strip().lower())
        is_full = instance not in self._active and len(self._active) >= MAX_INSTANCES
        if active is None or is_full:
            self.ignored += 1
            return False
        self._active[instance] = active
        self._doubtful.discard(instance)
        return True

    def doubt(self) -> None:
        """Begin a new session: what it does not tell again is to be forgotten."""
        self.is_in_doubt = True
        self._doubtful = set(self._active)

    def forget_doubtful(self) -> int:
        """Forget what was not told again; returns how many."""
        self.is_in_doubt = False
        doubtful, self._doubtful = self._doubtful, set()
        for instance in doubtful:
            self._active.pop(instance, None)
        return len(doubtful)

    def forget_all(self) -> None:
        """Forget everything: the camera is gone."""
        self._active.clear()
        self._doubtful.clear()
