"""Airflow 3: a DAG file. A gate is a skip: exit code 1 skips what waits for the step, any other than 0 is tried again and fails.

Sources: the documentation of Apache Airflow 3, "BashOperator" (``skip_on_exit_code``), "Object Storage", "Templates reference".
"""

from __future__ import annotations

from collections.abc import Iterator

from everloop.connect.pipelines.carried import AIRFLOW, ROLLS, left_over, said
from everloop.connect.pipelines.lines import command
from everloop.project.pipeline import A_DAY, Pipeline, Task, cron
from everloop.settings import HOUSE

MARK = "Written by everloop export airflow"
RUN_AT = "(dag_run.data_interval_end or dag_run.logical_date or dag_run.run_after)"
"""The tick that a run was due at, whichever way an installation counts intervals; of a run that somebody started without a date, when."""
NOW = f"{{{{ {RUN_AT} | ts }}}}"
"""The template for that instant, with its offset from UTC."""


def files(pipeline: Pipeline) -> dict[str, str]:
    """The DAG file, by its name."""
    return {f"{pipeline.name}.py": "\n".join(_lines(pipeline)) + "\n"}


def _lines(pipeline: Pipeline) -> Iterator[str]:
    pods = any(task.pod for task in pipeline.tasks)
    first = pipeline.tasks[0]
    yield f"# {MARK}; written anew by the next one. Airflow 3, with the standard provider{' and that of Kubernetes' if pods else ''}."
    yield f'"""The models of {pipeline.name}, learnt and judged every {said(pipeline)}: each step is one command of everloop."""'
    yield "#"
    yield from (f"# {line}" for line in left_over(pipeline, AIRFLOW))
    yield "# Gates: a step whose record said no (exit code 1) is skipped, and so is what waits for it."
    yield f"# {ROLLS}"
    yield ""
    yield "from datetime import timedelta"
    yield ""
    yield "import pendulum"
    if pods:
        yield "from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator"
        yield "from airflow.providers.cncf.kubernetes.secret import Secret"
    yield "from airflow.providers.standard.operators.bash import BashOperator"
    named = ["DAG", *(["ObjectStoragePath"] if pipeline.arrivals else []), "TaskGroup", *(["task"] if pipeline.arrivals else [])]
    yield f"from airflow.sdk import {', '.join(named)}"
    yield ""
    yield f"# Where the project lies on the workers; another place: airflow variables set everloop_{pipeline.name} FOLDER"
    yield f"FOLDER = {_template(pipeline)!r}"
    yield "# The tick a run was due at: all steps of it, and each of their tries, are about that instant."
    yield f"NOW = {NOW!r}"
    if pods:
        yield f"IMAGE = {pipeline.image!r}"
        names = ", ".join(repr(name) for name in pipeline.secrets)
        yield f'SECRETS = [Secret("env", name, "everloop-{pipeline.name.replace("_", "-")}", name) for name in [{names}]]'
    yield ""
    yield "with DAG("
    yield f"    {pipeline.name!r},"
    yield f"    schedule={_schedule(pipeline)},"
    yield f"    start_date={_start(pipeline)},"
    yield "    catchup=False,"
    yield "    max_active_runs=1,"
    yield f"    default_args={{{_of_task(first)}}},"
    yield '    tags=["everloop"],'
    yield "):"
    for arrival in pipeline.arrivals:
        yield from _sensor(arrival.source, arrival.url, pipeline)
    done: set[tuple[str, str]] = set()
    for model in ("", *pipeline.models):
        runs = [(task, at) for task, at in pipeline.runs() if at == model and (task.name, at) not in done]
        if not runs:
            continue
        pad = "    "
        if model:
            yield ""
            yield f"    with TaskGroup({model!r}):"
            pad += "    "
        for task, at in runs:
            done.add((task.name, at))
            yield from (pad + line for line in _operator(pipeline, task, at, first))
    yield ""
    for task, model in pipeline.runs():
        before = [_variable(need, at) for need, at in pipeline.waits_for(task, model)]
        if not before:
            before = [f"arrived_{arrival.source}" for arrival in pipeline.arrivals]
        if before:
            yield f"    {before[0] if len(before) == 1 else '[' + ', '.join(before) + ']'} >> {_variable(task, model)}"


def _template(pipeline: Pipeline) -> str:
    return f"{{{{ var.value.get('everloop_{pipeline.name}', {pipeline.folder!r}) }}}}"


def _variable(task: Task, model: str) -> str:
    return f"{task.name}_{model}" if model else task.name


def _of_task(task: Task) -> str:
    return (
        f'"retries": {task.retries}, "retry_delay": timedelta(seconds={int(task.retry_after.total_seconds())}), '
        f'"execution_timeout": timedelta(seconds={int(task.timeout.total_seconds())})'
    )


def _operator(pipeline: Pipeline, task: Task, model: str, usual: Task) -> Iterator[str]:
    words = [f"task_id={task.name!r}"]
    if task.pod:
        arguments = [word.replace("{now}", "\0") for word in task.said(model, "\0")]
        listed = ", ".join("NOW" if word == "\0" else repr(word) for word in arguments)
        words += ["image=IMAGE", 'cmds=["everloop"]', f"arguments=[{listed}]", "secrets=SECRETS", "get_logs=True"]
        words += [f"env_vars={{{HOUSE!r}: {pipeline.shared!r}}}"] if pipeline.shared else []
    else:
        line = command(task, model, "{NOW}")
        words += [f"bash_command=f{line!r}", "cwd=FOLDER", "append_env=True"]
        words += [f"env={{{HOUSE!r}: {pipeline.shared!r}}}"] if pipeline.shared else []
    if task.gate:
        words.append("skip_on_exit_code=1")
    if (task.retries, task.retry_after, task.timeout) != (usual.retries, usual.retry_after, usual.timeout):
        words.append(
            f"retries={task.retries}, retry_delay=timedelta(seconds={int(task.retry_after.total_seconds())}), "
            f"execution_timeout=timedelta(seconds={int(task.timeout.total_seconds())})"
        )
    name = "KubernetesPodOperator" if task.pod else "BashOperator"
    yield f"{_variable(task, model)} = {name}("
    yield from (f"    {word}," for word in words)
    yield ")"


def _sensor(source: str, url: str, pipeline: Pipeline) -> Iterator[str]:
    longest = min(pipeline.schedule.span, A_DAY) if pipeline.schedule is not None else A_DAY
    day = RUN_AT + (".astimezone(dag.timezone)" if pipeline.schedule is not None and pipeline.schedule.zone else "")
    told = url.replace("{day}", f"{{{{ {day} | ds }}}}").replace("az://", "abfs://")
    yield ""
    yield f'    @task.sensor(task_id="arrived_{source}", poke_interval=60, timeout={int(longest.total_seconds())}, mode="reschedule")'
    yield f"    def wait_for_{source}(url: str) -> bool:"
    yield f'        """The rows of {source} are complete once this object is there."""'
    yield "        return ObjectStoragePath(url).exists()"
    yield ""
    yield f"    arrived_{source} = wait_for_{source}({told!r})"
    yield ""


def _schedule(pipeline: Pipeline) -> str:
    clock = pipeline.schedule
    if clock is None:
        return "None"
    counted = cron(clock)
    return repr(counted) if counted else f"timedelta(seconds={int(clock.span.total_seconds())})"


def _start(pipeline: Pipeline) -> str:
    """A Monday, at the time of day and in the zone of the clock: cron is read in that zone, spans are counted from there."""
    clock = pipeline.schedule
    hour, minute = (int(part) for part in ((clock.at if clock else None) or "00:00").split(":"))
    return f"pendulum.datetime(2026, 1, 5, {hour}, {minute}, tz={((clock.zone if clock else None) or 'UTC')!r})"
