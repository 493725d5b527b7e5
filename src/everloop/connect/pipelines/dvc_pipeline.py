"""DVC 3: ``dvc.yaml`` with its parameters and metrics. Order comes from files, so each step leaves one; a gate is a step that fails.

What DVC calls an output is a note that a step was done: what it did is in the house, which DVC must neither move nor bring back. So no
output is cached, and nothing is taken from DVC's run cache. Sources: DVC's documentation, "dvc.yaml" (``foreach``, ``vars``, ``metrics``),
"params" and "Run cache".
"""

from __future__ import annotations

from collections.abc import Mapping

from everloop.connect.pipelines.carried import DVC, ROLLS, left_over
from everloop.connect.pipelines.lines import command, limited, one_line, tried
from everloop.connect.pipelines.texts import Data, yaml
from everloop.project.pipeline import MODEL, NOW, Pipeline, Task

MARK = "Written by everloop export dvc-pipeline"
PARAMS = "everloop.params.yaml"
ITEM, AT = "${item}", "${everloop.now}"


def files(pipeline: Pipeline, now: str, deps: tuple[str, ...] = ()) -> dict[str, str]:
    """``dvc.yaml`` and what stands beside it. ``now``: the instant the first run is about; ``deps``: files whose change makes a new run."""
    lines = [
        f"{MARK}; written anew by the next one. DVC 3.",
        f"The models of {pipeline.name}. A run is about the instant in {PARAMS}; this moves it, and runs:",
        f"  dvc exp run -S {PARAMS}:everloop.now=2026-11-22",
        "Gates: a step whose record said no fails (exit code 1); dvc repro --keep-going goes on with the other models.",
        ROLLS,
        *left_over(pipeline, DVC),
    ]
    stages: dict[str, Data] = {task.name: _stage(pipeline, task, deps) for task in pipeline.tasks}
    return {
        "dvc.yaml": yaml({"vars": [PARAMS], "stages": stages}, "\n".join(lines)),
        PARAMS: yaml({"everloop": {"now": now}}, f"{MARK}: the instant a run is about."),
        "reports/.gitignore": f"# {MARK}: notes that a step was done; metrics and cards are Git's.\n*.done\n*.xml\n",
    }


def _stage(pipeline: Pipeline, task: Task, deps: tuple[str, ...]) -> Mapping[str, Data]:
    item = ITEM if task.foreach else ""
    # DVC takes each line of a command as one by itself.
    line = one_line(tried(limited(command(task, item, AT), task.timeout), task))
    body: dict[str, Data] = {"cmd": f"mkdir -p reports; {line}; echo done > {_done(task, item)}"}
    if needed := [*_waits(pipeline, task), *(deps if not task.needs else ())]:
        body["deps"] = needed
    if NOW in task.command:
        body["params"] = [{PARAMS: ["everloop.now"]}]
    body["outs"] = [{_done(task, item): {"cache": False}}]
    after = dict(zip(task.command, task.command[1:], strict=False))
    if "--metrics" in after:
        body["metrics"] = [{after["--metrics"].replace(MODEL, item): {"cache": False}}]
    return {"foreach": list(task.foreach), "do": body} if task.foreach else body


def _waits(pipeline: Pipeline, task: Task) -> list[str]:
    """The notes a step waits for; of a step for models that of the same model, or where it is run once those of all."""
    found: list[str] = []
    for need in map(pipeline.task, task.needs):
        if need.foreach and not task.foreach:
            found += [_done(need, model) for model in need.foreach]
        else:
            found.append(_done(need, ITEM if need.foreach else ""))
    return found


def _done(task: Task, item: str) -> str:
    return f"reports/{task.name}{'-' if item else ''}{item}.done"
