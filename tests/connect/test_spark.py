"""Spark: local PySpark, in an environment of its own, gives the columns DuckDB gives; what it cannot read it says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from bench import messy
from bench.spark import answer, answered_by_spark, given, java
from bench.spark_side import UNTIL

from everloop.features.compile import features
from everloop.features.moments import micros
from everloop.features.truth import truths
