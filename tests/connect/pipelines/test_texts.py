"""YAML as we write it is YAML as others read it."""

from __future__ import annotations

import yaml as theirs
from hypothesis import given
from hypothesis import strategies as st

from everloop.connect.pipelines.texts import yaml

WORDS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_characters="\x7f"), max_size=12),
    st.sampled_from(
        [
            "on",
            "No",
            "~",
            "1e3",
            "0x1f",
            "3.10",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "",
            "null",
            "2026-11-22",
            "12:30",
            "a\nb\n",
            "a\n b",
            "*x",
            "&x",
            "!x",
            "%x",
            "@x",
            "`x",
            ".5",
            "=",
            "<<",
        ]
    ),
)
DATA = st.recursive(
    st.one_of(WORDS, st.integers(-1000, 1000), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False, width=16)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS.filter(lambda w: "\n" not in w), inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(WORDS.filter(lambda w: "\n" not in w), DATA, min_size=1, max_size=4))
def test_what_is_written_is_read_as_it_was(data):
    assert theirs.safe_load(yaml(data, "a comment\n\nof lines")) == data
