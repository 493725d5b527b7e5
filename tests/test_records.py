"""Records show themselves in a notebook."""

from __future__ import annotations

from datetime import UTC, datetime

from everloop.records import Opinion, Verdict


def test_a_record_shows_itself_as_a_table_with_its_sentences():
    opinion = Opinion(clause="beats_champion()", outcome="passed", sentence="WAPE 0.4 | better <b>")
    now = datetime(2026, 11, 2, 14, 3, tzinfo=UTC)
    shown = Verdict(
        id="v", made_at=now, model="demand", candidate="c", champion="b", opinions=(opinion,), outcome="passed"
    )._repr_markdown_()
    assert shown.startswith("**Verdict**")
    assert "| made_at | 2026-11-02 14:03 UTC |" in shown
    assert "WAPE 0.4 \\| better &lt;b>" in shown
    assert "reason" not in shown
