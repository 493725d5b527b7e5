"""deepchecks, pandas profiling and whylogs themselves read the training set that is exported."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from bench.peers import apart, environment
from tests.ring.conftest import END

from everloop.loop.export import to_dvc
from everloop.loop.steps import train_now

pytestmark = pytest.mark.slow


def test_they_read_what_a_model_learnt_from_and_find_the_column_that_is_wrong(opened, tmp_path):
    house, model = opened("shop")
    train_now(house, model, END + timedelta(hours=1))
    to_dvc(house, model, tmp_path)
    file = tmp_path / model.name / "training.parquet"
    column = [name for name in model.columns if "quantity" in name][-1]
    table = pq.read_table(file)
    assert column in table.column_names
    pyarrow.csv.write_csv(table, tmp_path / "training.csv")  # their numpy is too old for a pyarrow of today
    command = [environment("profilers"), Path(__file__).with_name("in_profilers.py"), tmp_path / "training.csv", column]
    done = subprocess.run(command, capture_output=True, text=True, env=apart() | {"HOME": str(tmp_path)}, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    rows = table.num_rows
    as_it_is, spoilt = found["deepchecks"]
    assert as_it_is < 0.1 < 0.5 < spoilt
    assert found["profiling"] == {"rows": rows, "columns": found["columns"]}
    assert found["whylogs"] == dict.fromkeys(found["columns"], rows)
