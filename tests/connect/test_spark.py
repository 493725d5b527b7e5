"""Spark: local PySpark, in an environment of its own, gives the columns DuckDB gives; what it cannot read it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bench import messy
from bench.spark import answer, answered_by_spark, given, java
from tests.docs.pages import examples  # type: ignore[import-not-found]

from everloop.features.compile import features
from everloop.features.truth import truths
