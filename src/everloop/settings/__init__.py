"""Where things are: ``everloop.toml``, its stages, and the environment. *What* to predict is never here. Standard library only.

``records.py`` is what settings say, ``checks.py`` what a value must be, ``shop.py`` what is said of a shop, ``streams.py`` of streams,
``pipeline.py`` of pipelines, ``aloud.py`` which secrets stand there themselves, ``read.py`` puts it together.
"""

from everloop.settings.aloud import of_person
from everloop.settings.checks import span
from everloop.settings.pipeline import HOUSE, IMAGE, NOT_THE_CODE, STAGE, beside
from everloop.settings.read import ENVIRONMENT, read_settings, secrets_aloud
from everloop.settings.records import (
    ALIASES,
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
    Pipelines,
    Place,
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
    "ALIASES",
    "ENVIRONMENT",
    "FILE",
    "HOUSE",
    "IMAGE",
    "LEVELS",
    "NOT_THE_CODE",
    "SEVERITIES",
    "SHOP",
    "STAGE",
    "Address",
    "Console",
    "Durability",
    "Executor",
    "Governor",
    "Level",
    "Logs",
    "Pipelines",
    "Place",
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
    "beside",
    "of_person",
    "read_settings",
    "secrets_aloud",
    "span",
]
