"""The configuration: its model, where it comes from, and which of it has an effect in this version."""

from headgate.core.config.configuration import Applications, Configuration, PathMatch
from headgate.core.config.global_conf import GlobalConf
from headgate.core.config.loader import Loaded, find_file, load
from headgate.core.config.networks import ListenAddress
from headgate.core.config.own_conf import OwnConf, Webhook
from headgate.core.config.path_conf import PathConf
from headgate.core.config.path_names import check_path_name, path_name_mistake
from headgate.core.config.secrets import REDACTED
from headgate.core.config.startup import Startup
from headgate.core.config.state_file import StateFile, state_directory
from headgate.core.config.store import ConfigurationStore

__all__ = [
    "REDACTED",
    "Applications",
    "Configuration",
    "ConfigurationStore",
    "GlobalConf",
    "ListenAddress",
    "Loaded",
    "OwnConf",
    "PathConf",
    "PathMatch",
    "Startup",
    "StateFile",
    "Webhook",
    "check_path_name",
    "find_file",
    "load",
    "path_name_mistake",
    "state_directory",
]
