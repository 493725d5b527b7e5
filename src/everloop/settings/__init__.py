"""Where things are: ``everloop.toml``, its stages, and the environment. *What* to predict is never here. Standard library only.

``records.py`` is what settings say, ``checks.py`` what a value must be, ``shop.py`` what is said of a shop, ``streams.py`` of streams,
``read.py`` puts it together.
"""

from everloop.settings.checks import span
from everloop.settings.read import ENVIRONMENT, read_settings
from everloop.settings.records import (
    FILE,
    LEVELS,
    SEVERITIES,
    Address,
    Console,
    Durability,
    Executor,
    Governor,
    Level,
    Logs,
    Serving,
    Settings,
    Severity,
    Shopify,
    Signing,
    SourceFiles,
    Storage,
    Stream,
    Streams,
    WhenFull,
    Workers,
)
from everloop.settings.shop import SHOP

__all__ = [
    "ENVIRONMENT",
    "FILE",
    "LEVELS",
    "SEVERITIES",
    "SHOP",
    "Address",
    "Console",
    "Durability",
    "Executor",
    "Governor",
    "Level",
    "Logs",
    "Serving",
    "Settings",
    "Severity",
    "Shopify",
    "Signing",
    "SourceFiles",
    "Storage",
    "Stream",
    "Streams",
    "WhenFull",
    "Workers",
    "read_settings",
    "span",
]
