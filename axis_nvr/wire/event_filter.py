"""Which notifications somebody wants: by topic and by what they say."""

from dataclasses import dataclass
from itertools import chain

from axis_nvr.wire.item_filter import ItemFilter
from axis_nvr.wire.notification import Notification
from axis_nvr.wire.topics import TopicFilter


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A topic filter and item filters, all of which must let a notification pass.

    :param topic: None for all topics.
    """

    topic: TopicFilter | None
    contents: tuple[ItemFilter, ...] = ()

    def matches(self, notification: Notification) -> bool:
        """Tell whether a notification is wanted."""
        if self.topic is not None and not self.topic.matches(notification.topic):
            return False
        items = chain(notification.source, notification.key, notification.data)
        said = list(items) if self.contents else []
        return all(content.matches(said) for content in self.contents)
