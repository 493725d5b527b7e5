"""Kubeflow Pipelines 2: Python that compiles itself. A gate is ``dsl.If`` over what the step said; the fan-out ``dsl.ParallelFor``.

Nothing of KFP is imported here. Sources: the KFP SDK's reference, "dsl" and "local"; "Control Flow" of Kubeflow's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator

from everloop.connect.pipelines.carried import KUBEFLOW, ROLLS, left_over, said
from everloop.project.pipeline import Pipeline, Task, cron, in_order
from everloop.settings import HOUSE

MARK = "Written by everloop export kubeflow"

STEP = '''\
@dsl.component(base_image=IMAGE, install_kfp_package=not KFP_IN_IMAGE)
def step(words: list, model: str, now: str, scheduled: str, seconds: int) -> str:
    """One command of everloop: "yes", or "no" where a record said so. Raises where it could not be done, and is then tried again."""
    import subprocess

    # A run that somebody started for an instant is about that one, else it is about when it was due.
    command = ["everloop", *(word.replace("{model}", model).replace("{now}", now or scheduled) for word in words)]
    code = subprocess.run(command, timeout=seconds, check=False).returncode
    if code > 1 or code < 0:
        raise SystemExit(f"{' '.join(command)} could not be done: exit code {code}")
    return "no" if code else "yes"
'''


def files(pipeline: Pipeline) -> dict[str, str]:
    """The file that compiles itself, by its name."""
    return {f"{pipeline.name}_pipeline.py": "\n".join(_lines(pipeline)) + "\n"}


def _lines(pipeline: Pipeline) -> Iterator[str]:
    name, counted = pipeline.name, cron(pipeline.schedule) if pipeline.schedule else None
    yield f"# {MARK}; written anew by the next one. KFP 2.16 or newer."
    yield f'"""The models of {name}, learnt and judged every {said(pipeline)}: each step is one command of everloop.'
    yield ""
    yield f"python {name}_pipeline.py                         writes {name}.yaml, to be uploaded"
    if counted:
        yield f"python {name}_pipeline.py --schedule KUBEFLOW     and lets Kubeflow at that address run it every {said(pipeline)}"
    yield '"""'
    yield ""
    yield f"# {ROLLS}"
    yield from (f"# {line}" for line in left_over(pipeline, KUBEFLOW))
    yield "import os"
    yield "import sys"
    yield ""
    yield "from kfp import compiler, dsl"
    if pipeline.secrets or pipeline.shared:
        yield "from kfp import kubernetes"
    yield ""
    yield f"IMAGE = {pipeline.image!r}"
    yield "# An image that has kfp needs no package index when a pod starts: KFP_IN_IMAGE=1 while this is compiled."
    yield 'KFP_IN_IMAGE = os.environ.get("KFP_IN_IMAGE") == "1"'
    yield "SCHEDULED = dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER"
    yield ""
    yield ""
    yield from STEP.splitlines()
    yield ""
    yield ""
    yield "def run(words, tries, again, seconds, *, model, now):"
    yield '    """A step with its tries; what it is given in Kubernetes stands here once."""'
    yield "    task = step(words=words, model=model, now=now, scheduled=SCHEDULED, seconds=seconds)"
    yield "    task.set_caching_options(False)  # what a command does is in the house, not in its outputs"
    yield "    if tries:"
    yield '        task.set_retry(num_retries=tries, backoff_duration=f"{again}s", backoff_factor=1.0)'
    dns = name.replace("_", "-")
    if pipeline.secrets:
        pairs = ", ".join(f'"{each}": "{each}"' for each in pipeline.secrets)
        yield f'    kubernetes.use_secret_as_env(task, secret_name="everloop-{dns}", secret_key_to_env={{{pairs}}})'
    if pipeline.shared:
        yield f'    kubernetes.mount_pvc(task, pvc_name="everloop-{dns}", mount_path={pipeline.shared!r})'
        yield f"    task.set_env_variable({HOUSE!r}, {pipeline.shared!r})"
    yield "    return task"
    yield ""
    yield ""
    yield f'@dsl.pipeline(name="{dns}", description="Written by everloop export kubeflow")'
    yield f'def {name}(now: str = ""):'
    yield from _body(pipeline)
    yield ""
    yield ""
    yield 'if __name__ == "__main__":'
    yield f'    compiler.Compiler().compile({name}, "{name}.yaml")'
    if counted:
        yield from _scheduled(pipeline, counted)


def _body(pipeline: Pipeline) -> Iterator[str]:
    """The steps that are run once, then one loop over the models; in it each step inside what its gates let through."""
    once = [task for task in in_order(pipeline.tasks) if not task.foreach]
    for task in once:
        yield f"    {task.name} = {_call(task, repr(''))}{_after(task)}"
    for models in dict.fromkeys(task.foreach for task in in_order(pipeline.tasks) if task.foreach):
        yield f"    with dsl.ParallelFor(items={list(models)!r}) as model:"
        inside = [task for task in in_order(pipeline.tasks) if task.foreach == models]
        names = {task.name for task in inside}
        yield from _inside(inside, [task for task in inside if not set(task.needs) & names], 2)


def _inside(among: list[Task], tasks: list[Task], depth: int) -> Iterator[str]:
    """Tasks, and behind each what waits for it: deeper by one condition where it is a gate."""
    pad = "    " * depth
    for task in tasks:
        names = {each.name for each in among}
        outside = [need for need in task.needs if need not in names]
        yield f"{pad}{task.name} = {_call(task, 'model')}" + (f".after({', '.join(outside)})" if outside else "")
        waiting = [each for each in among if task.name in each.needs]
        if waiting and task.gate:
            yield f'{pad}with dsl.If({task.name}.output == "yes"):'
            yield from _inside(among, waiting, depth + 1)
        elif waiting:
            yield from _behind(among, waiting, task, depth)


def _behind(among: list[Task], waiting: list[Task], task: Task, depth: int) -> Iterator[str]:
    """The same without a condition: each waits for the task by name."""
    pad = "    " * depth
    for line in _inside(among, waiting, depth):
        head = line.removeprefix(pad).split(" = ")[0]
        yield f"{line}.after({task.name})" if head in {each.name for each in waiting} else line


def _after(task: Task) -> str:
    return f".after({', '.join(task.needs)})" if task.needs else ""


def _call(task: Task, model: str) -> str:
    again, seconds = int(task.retry_after.total_seconds()), int(task.timeout.total_seconds())
    return f"run({list(task.command)!r}, {task.retries}, {again}, {seconds}, model={model}, now=now)"


def _scheduled(pipeline: Pipeline, counted: str) -> Iterator[str]:
    zone = (pipeline.schedule.zone if pipeline.schedule else None) or "UTC"
    yield '    if sys.argv[1:2] == ["--schedule"]:'
    yield "        from kfp import Client"
    yield ""
    yield "        client = Client(host=sys.argv[2])"
    yield f'        experiment = client.create_experiment("{pipeline.name}")'
    yield "        client.create_recurring_run("
    yield "            experiment.experiment_id,"
    yield f'            job_name="{pipeline.name}",'
    yield f'            cron_expression="CRON_TZ={zone} 0 {counted}",  # Kubeflow counts seconds first'
    yield "            max_concurrency=1,"
    yield "            no_catchup=True,"
    yield f'            pipeline_package_path="{pipeline.name}.yaml",'
    yield "        )"
