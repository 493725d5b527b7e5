"""What may be said of an address: nothing that lets anybody write to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everloop.connect.message import masked, without_secrets

URLS = {
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7/#ops": "slack://…",
    "json://ada:hush@pager.local:8080/path/xyzzy?+token=xyzzy": "json://pager.local:8080/…",
    "mailtos://ada%40shop:hush@shop.example?to=bob@shop.example": "mailtos://shop.example/…",
    "jsons://[::1]:80/xyzzy": "jsons://[::1]:80/…",
    "json://hu sh/x": "json://…",
    "JSON://pager/x": "JSON://pager/…",
    "no address": "…",
    "": "…",
}


@pytest.mark.parametrize("url", URLS)
def test_an_address_is_said_without_what_is_secret(url):
    assert masked(url) == URLS[url]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("POST /path/xyzzy was refused by pager.local", "POST /path/… was refused by pager.local"),
        ("login of ada%40shop failed", "login of … failed"),
        ("login of ada@shop failed: hushhush", "login of … failed: …"),
        ("two\r\nlines \x1b[31mred", "two lines [31mred"),
        ("it was refused", "it was refused"),
    ],
)
def test_a_reason_is_said_without_what_is_secret(said, kept):
    url = "json://ada%40shop:hushhush@pager.local:8080/p/xyzzy?+token=xyzzy"
    assert without_secrets(said, url) == kept


def test_a_reason_is_short():
    assert len(without_secrets("x " * 9000, "json://a")) == 200


@given(st.text(st.characters(categories=["L", "N"]), min_size=5, max_size=40), st.text(max_size=60), st.text(max_size=60))
def test_no_token_is_ever_said(token, before, after):
    url = f"slack://{token}/{token}x/?footer=no"
    assert token not in masked(url)
    assert token not in without_secrets(before + token + after, url) or token in "slack://…"
