"""The configuration: its model, where it comes from, and which of it has an effect in this version."""

from headgate.core.config.configuration import Applications, Configuration, PathMatch
from headgate.core.config.global_conf import GlobalConf
from headgate.core.config.loader import Loaded, load
from headgate.core.config.networks import ListenAddress
from headgate.core.config.own_conf import OwnConf, Webhook
from headgate.core.config.path_conf import PathConf
from headgate.core.config.path_names import check_path_name, path_name_mistake

__all__ = [
    "Applications",
    "Configuration",
    "GlobalConf",
    "ListenAddress",
    "Loaded",
    "OwnConf",
    "PathConf",
    "PathMatch",
    "Webhook",
    "check_path_name",
    "load",
    "path_name_mistake",
]
