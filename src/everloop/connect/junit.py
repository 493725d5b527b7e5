"""JUnit's XML, which every CI shows: each condition of a check or a verdict as a test case. In: records. Out: text.

There is no standard; the form is what Jenkins's JUnit plugin and GitLab's "Unit test reports" read. A condition without enough evidence
is a failure too, of a type that says so, since what waits for the gate does not go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from everloop.records import Outcome, Report, Verdict

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One condition, what became of it, and the sentence that says so; ``about`` is what it is a condition on."""

    about: str
    clause: str
    outcome: Outcome
    sentence: str
    more: tuple[str, ...] = ()


def of_report(report: Report) -> list[Case]:
    """The findings of a check."""
    return [Case(f"{report.model}.{f.source}", f.clause, f.outcome, f.sentence, f.examples) for f in report.findings]


def of_verdict(verdict: Verdict) -> list[Case]:
    """The opinions of a verdict; one that a person overrode has their word as a case of its own."""
    cases = [Case(f"{verdict.model}.promote_when", o.clause, o.outcome, o.sentence) for o in verdict.opinions]
    if verdict.by:
        cases.append(Case(f"{verdict.model}.promote_when", "override", verdict.outcome, f"{verdict.by}: {verdict.reason}"))
    return cases


def junit(name: str, suites: Iterable[tuple[str, Sequence[Case]]]) -> str:
    """One file of suites by their names.

    >>> print(junit("everloop check", [("demand", [Case("demand.orders", "always('id')", "failed", "2 rows have no id.")])]), end="")
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="everloop check" tests="1" failures="1" errors="0">
      <testsuite name="demand" tests="1" failures="1" errors="0">
        <testcase classname="demand.orders" name="always('id')">
          <failure type="failed" message="2 rows have no id."></failure>
        </testcase>
      </testsuite>
    </testsuites>
    """
    all_suites = list(suites)
    whole = [case for _, cases in all_suites for case in cases]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites name={_attribute(name)} {_counts(whole)}>"]
    for suite, cases in all_suites:
        lines.append(f"  <testsuite name={_attribute(suite)} {_counts(cases)}>")
        for case in cases:
            head = f"    <testcase classname={_attribute(case.about)} name={_attribute(case.clause)}"
            if case.outcome == "passed":
                lines.append(head + ">")
                lines.append(f"      <system-out>{_text(case.sentence)}</system-out>")
            else:
                lines.append(head + ">")
                told = f"type={_attribute(case.outcome)} message={_attribute(case.sentence)}"
                lines.append(f"      <failure {told}>{_text(chr(10).join(case.more))}</failure>")
            lines.append("    </testcase>")
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _counts(cases: Sequence[Case]) -> str:
    return f'tests="{len(cases)}" failures="{sum(case.outcome != "passed" for case in cases)}" errors="0"'


def _attribute(text: str) -> str:
    return quoteattr(_NO_XML.sub("\ufffd", text))


def _text(text: str) -> str:
    return escape(_NO_XML.sub("\ufffd", text))
