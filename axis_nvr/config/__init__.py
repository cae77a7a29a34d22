"""The configuration: a TOML file and the command line, read into frozen values.

Whatever is wrong is one `ConfigError` whose message names the place and the key, and what was
expected there. Nothing is opened or created here apart from the files that the configuration names
for reading; no value of a password, or of a URL that may hold one, gets into a message.

What a stream's options mean, and whether an endpoint can be listened at, is judged by those who
know, above this layer.
"""

from axis_nvr.config.disk import DiskConfig
from axis_nvr.config.events import EventsConfig
from axis_nvr.config.load import DEFAULT_DISK_ID, DEFAULT_ENDPOINTS, DEFAULT_STATE_DIR, load_config
from axis_nvr.config.multicast import MulticastConfig
from axis_nvr.config.values import NONE, CameraConfig, Config, RecordingConfig

__all__ = [
    "DEFAULT_DISK_ID",
    "DEFAULT_ENDPOINTS",
    "DEFAULT_STATE_DIR",
    "NONE",
    "CameraConfig",
    "Config",
    "DiskConfig",
    "EventsConfig",
    "MulticastConfig",
    "RecordingConfig",
    "load_config",
]
