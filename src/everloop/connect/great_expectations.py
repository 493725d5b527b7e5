"""Great Expectations: a suite there is runs as a check. In: the suite's JSON, the rows in force. Out: findings, one for each expectation.

Great Expectations itself judges (``everloop[great-expectations]``, 1.x), in memory and by nobody's configuration but the suite's own; what
it says becomes findings, with rows that break them. An expectation that raises is *not enough evidence*, with what it raised.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from everloop.errors import EverloopError, Missing
from everloop.records import Finding, Outcome

EXAMPLES = 5
ROW = "everloop_row"
"""What the column is called that names a row while it is judged."""


def run(
    suite: str, rows: pa.Table, *, source: str, names: list[str], private: frozenset[str] = frozenset(), file: str = "suite.json"
) -> tuple[Finding, ...]:
    """What a suite finds in these rows; ``names`` (n,) is what each row is called in an example, of which ``private`` columns show nothing.

    Raises EverloopError for text that is no suite of version 1 and for one without expectations, Missing without the extra.
    """
    try:
        import great_expectations as gx
    except ModuleNotFoundError:
        raise Missing("great_expectations", "great-expectations", f"meets({file!r})") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, of its own libraries
        context = gx.get_context(mode="ephemeral")
        said = _suite(gx, suite, file)
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        frame = rows.to_pandas().assign(**{ROW: names})
        asset = context.data_sources.add_pandas(name=source).add_dataframe_asset(name=source)
        batch = asset.add_batch_definition_whole_dataframe("rows").get_batch(batch_parameters={"dataframe": frame})
        asks = {"result_format": "COMPLETE", "unexpected_index_column_names": [ROW], "return_unexpected_index_query": False}
        done = batch.validate(said, result_format=asks)
    return tuple(_finding(one.to_json_dict(), source, len(rows), private) for one in done.results)


def _suite(gx: Any, text: str, file: str) -> Any:
    try:
        plain = json.loads(text)
        if not isinstance(plain, dict) or not isinstance(plain.get("expectations"), list):
            raise ValueError("it has no list of expectations")
        known = {key: plain[key] for key in ("name", "expectations", "suite_parameters", "meta", "notes") if key in plain}
        if not plain["expectations"]:
            raise ValueError("it expects nothing")
        return gx.ExpectationSuite(**{"name": file} | known)
    except Exception as error:
        raise EverloopError(f"{file} is no suite of Great Expectations 1.x: {' '.join(str(error).split())[:300]}") from error


def _finding(one: Mapping[str, Any], source: str, rows: int, private: frozenset[str]) -> Finding:
    config, result, raised = one["expectation_config"], one.get("result") or {}, _raised(one.get("exception_info") or {})
    words = {key: value for key, value in config["kwargs"].items() if key != "batch_id" and value is not None}
    clause = f"{config['type']}({', '.join(f'{key}={value!r}' for key, value in sorted(words.items()))})"
    judged = int(result.get("element_count") or rows) - int(result.get("missing_count") or 0)
    broken = int(result.get("unexpected_count") or 0)
    outcome: Outcome = "not enough evidence" if raised or judged == 0 else "passed" if one["success"] else "failed"
    what = f"{config['type']} of {words['column']}" if "column" in words else config["type"]
    if raised:
        sentence = f"In {source}, {what} could not be judged: {raised}"
    elif broken and result.get("element_count"):
        sentence = f"In {source}, {what} is broken by {broken:,} of {judged:,} rows."
    else:
        seen = (
            f" ({result['observed_value']} was seen)"
            if result.get("observed_value") is not None and not private & set(map(str, words.values()))
            else ""
        )
        sentence = f"In {source}, {what} {'holds' if outcome == 'passed' else 'does not hold'}{seen}."
    # An expectation about a whole column (its mean, its set of values) breaks no row by itself.
    met = (judged - broken) / judged if judged and "unexpected_count" in result else None
    return Finding(
        source=source, clause=clause, outcome=outcome, rows=max(judged, 0), broken=broken, met=met, share=float(words.get("mostly", 1.0)),
        sentence=sentence, examples=_examples(result, words, private) if outcome == "failed" else (),
    )  # fmt: skip


def _raised(info: Mapping[str, Any]) -> str:
    """The first thing that was raised; an expectation tells of one, or of one for each metric it needs."""
    every = [info] if "raised_exception" in info else [one for one in info.values() if isinstance(one, Mapping)]
    return next(
        (" ".join(str(one.get("exception_message") or "it raised").split())[:200] for one in every if one.get("raised_exception")), ""
    )


def _examples(result: Mapping[str, Any], words: Mapping[str, Any], private: frozenset[str]) -> tuple[str, ...]:
    found = []
    for row in (result.get("unexpected_index_list") or ())[-EXAMPLES:][::-1]:
        values = [f"{'private' if key in private else value}" for key, value in row.items() if key != ROW] or ["empty"]
        found.append(f"{str(row.get(ROW))[:60]}: {', '.join('empty' if v == 'None' else v for v in values)[:60]}")
    return tuple(found)
