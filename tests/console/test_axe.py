"""axe-core finds no serious fault on any page, light or dark, on a desk or a phone; and it would find one."""

import pytest
from bench.console_axe import GRAVE, faults, faults_of_all
from bench.peers import node_packages

pytestmark = pytest.mark.slow


def test_no_page_has_a_serious_fault(chromium):
    found, views = faults_of_all()
    assert [str(fault) for fault in found if fault.impact in GRAVE] == []
    assert views >= 4 * 12


def test_a_field_without_a_label_and_words_too_pale_are_found(browser):
    source = (node_packages("axe") / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page = browser.new_page()
    page.set_content('<html lang="en"><title>t</title><main><h1>t</h1><input name="q"><p style="color:#ccc">pale</p></main></html>')
    assert {fault.rule for fault in faults(page, source, "/", "light")} >= {"label", "color-contrast"}
    page.close()
