"""Numbers and instants in an address: whatever stands there, a page answers."""

from __future__ import annotations

import pytest
from tests.console.conftest import END

from everloop.console.page import Asking
from everloop.registry.people import Person

WORDS = {"incidents": "from", "journal": "before"}


def test_no_number_in_an_address_breaks_a_page(client):
    for number in ("99999999999999999999", "9" * 5000, "²"):
        for path in ("", "runs", "cost", "data", "features", "delivery", "incidents", "journal"):
            reply = client.get(f"/console/{path}", params={WORDS.get(path, "page"): number})
            assert reply.status_code == 200, (path, number[:20])
    for until in ("0001-01-01", "9999-12-31"):
        reply = client.get("/console/pane", params={"model": "prices", "until": until})
        assert reply.status_code in (200, 400), until
        assert "One pane" in reply.text or "beyond all there are" in reply.text


@pytest.mark.parametrize(
    ("said", "found"), [("", 1), ("7", 7), ("0", 0), ("007", 7), ("-1", 1), ("x", 1), ("²", 1), ("9" * 7, 10**6), ("9" * 5000, 10**6)]
)
def test_a_number_is_read_within_bounds(said, found):
    assert Asking(None, Person("Vera", "viewer"), END, {}, {"page": said}).number("page", 1) == found
