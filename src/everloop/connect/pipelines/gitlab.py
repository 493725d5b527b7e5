"""GitLab CI: one ``.gitlab-ci.yml``. A merge request is tested and judged in a house of its own, with the verdict as a note; the default
branch, a clock and a trigger learn in the house there is, and bring out what passed.

Each step of each model is one job. A gate is a job that fails with exit code 1, which is not tried again; what needs it is not run, and
the other models go on. Sources: GitLab's documentation, "CI/CD YAML syntax reference" (``retry:when``, ``needs``, ``rules``) and
"Predefined CI/CD variables reference".
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from everloop.connect.pipelines.carried import GITLAB, ROLLS, left_over, said
from everloop.connect.pipelines.ci import BUILD, PASSED, PROPOSED, SCAN, below, image_of, installed, judged_apart, pushed_to, tests
from everloop.connect.pipelines.lines import NO, command, limited, tried
from everloop.connect.pipelines.texts import Data, yaml
from everloop.project.pipeline import Pipeline, Task, cron, in_order
from everloop.settings import HOUSE, IMAGE, beside

MARK = "Written by everloop export gitlab"
FILE = ".gitlab-ci.yml"
WAITING = "waiting"
"""The folder with a sentence for each model that nothing is learnt of now, called as the model."""
AT = "$CI_PIPELINE_CREATED_AT"
"""The instant a run is about, unless somebody says NOW: it stays the same when a job is run again."""
PROPOSAL = '$CI_PIPELINE_SOURCE == "merge_request_event"'
LEARNS = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
MACHINES: tuple[str, ...] = ("runner_system_failure", "stuck_or_timeout_failure")
"""What GitLab itself tries again: that a runner failed. What a command could not do is tried again in the job, after a pause."""
NOTE = (
    'curl --fail --silent --show-error --request POST --header "PRIVATE-TOKEN: $COMMENTS_TOKEN" '
    '--form "body=<reports/comment-$MODEL.md" "$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"'
)


def files(pipeline: Pipeline, repository: str = "") -> dict[str, str]:
    """The file, by its name. ``repository``: where images go, such as ``$CI_REGISTRY_IMAGE``; none: none is built.

    Raises EverloopError for what is no repository.
    """
    repository = pushed_to(repository) if repository else ""
    lines = [
        f"{MARK}; written anew by the next one.",
        f"The models of {pipeline.name}.",
        "Gates: a job whose record said no fails (exit code 1) and is not tried again; what needs it is not run.",
        ROLLS,
        *_clock(pipeline),
        *left_over(pipeline, GITLAB),
    ]
    if repository:
        lines.append(image_of(pipeline))
    tasks = in_order(pipeline.tasks)
    body: dict[str, Data] = {
        "stages": ["test", "propose", *[task.name for task in tasks], *(["image"] if repository else [])],
        "workflow": {"rules": [{"if": PROPOSAL}, {"if": LEARNS}]},
        "default": _default(pipeline),
        "variables": {
            "NOW": AT,
            **({HOUSE: pipeline.shared} if pipeline.shared else {}),
            **({IMAGE: pipeline.image} if pipeline.image else {}),
        },
        "test": _test(pipeline),
    }
    if pipeline.proposes:
        body |= {f"propose {model}": _propose(pipeline, model) for model in pipeline.models}
    body |= {_called(task, model): _job(pipeline, task, model) for task, model in pipeline.runs()}
    if repository:
        body["build image"] = _image(pipeline, repository)
    return {FILE: yaml(body, "\n".join(lines))}


def _clock(pipeline: Pipeline) -> list[str]:
    """How the project is told when to run: GitLab keeps clocks and triggers beside the file."""
    told = []
    counted = cron(pipeline.schedule) if pipeline.schedule else None
    if pipeline.schedule and counted:
        zone = pipeline.schedule.zone or "UTC"
        told += [f"Every {said(pipeline)}; GitLab keeps clocks in the project, so say it once there:"]
        told += [f'  glab schedule create --cron "{counted}" --cronTimeZone {zone} --ref main --description everloop']
    if pipeline.arrivals:
        told += ["What hears that an object has come starts a run, with a trigger token of the project:"]
        told += [
            "  curl --form token=… --form ref=main --form variables[NOW]=2026-11-22 https://GITLAB/api/v4/projects/ID/trigger/pipeline"
        ]
        told += [f"  {arrival.source}: {arrival.url}" for arrival in pipeline.arrivals]
    return told


def _default(pipeline: Pipeline) -> Mapping[str, Data]:
    usual: dict[str, Data] = {"image": pipeline.image or "python:3.12-slim", "interruptible": False}
    before = _inside(pipeline) + ([] if pipeline.image else ["command -v everloop > /dev/null || " + installed()])
    return usual | ({"before_script": before} if before else {})


def _inside(pipeline: Pipeline) -> list[str]:
    """Where a job's lines are run, if not at the root of what is checked out."""
    return [f"cd {shlex.quote(pipeline.below)}"] if pipeline.below else []


def _called(task: Task, model: str) -> str:
    return f"{task.name} {model}" if model else task.name


def _job(pipeline: Pipeline, task: Task, model: str) -> Mapping[str, Data]:
    waits = [_called(each, model) for each in _waited_for(pipeline, task)] if model else []
    needs = list[Data](dict.fromkeys([_called(need, at) for need, at in pipeline.waits_for(task, model)] + waits)) or ["test"]
    longest = (task.retries + 1) * task.timeout + task.retries * task.retry_after
    job: dict[str, Data] = {
        "stage": task.name,
        "rules": [{"if": LEARNS}],
        "needs": needs,
        # Two runs of one model would wait for each other in the house; here they wait where somebody sees it.
        "resource_group": f"everloop-{model or task.name}",
        "script": [_lines(pipeline, task, model)],
        "timeout": f"{max(1, round(longest.total_seconds() / 60))} minutes",
        "retry": {"max": 2, "when": list(MACHINES)},
        **({"tags": list(pipeline.tags)} if pipeline.tags else {}),
        **({"allow_failure": {"exit_codes": [NO]}} if task.waits else {}),
    }
    kept: list[Data] = [below(pipeline, "reports/")] if any(word.startswith("reports/") for word in task.command) else []
    if task.waits:
        kept.append(below(pipeline, f"{WAITING}/"))
    if model and task == _last_gate(pipeline, model):
        job["script"] = [f"{_lines(pipeline, task, model)}mkdir -p {PASSED}\necho {model} > {PASSED}/{model}\n"]
        kept.append(below(pipeline, f"{PASSED}/"))
    if not kept:
        return job
    junit = {"reports": {"junit": below(pipeline, f"reports/{task.name}-{model}.xml")}} if "--junit" in task.command else {}
    return job | {"artifacts": {"paths": kept, "when": "always", **junit}}


def _lines(pipeline: Pipeline, task: Task, model: str) -> str:
    """A task's command with its tries. Behind a job that may fail GitLab goes on: so such a one leaves a note, and who finds it is done."""
    line, note = limited(command(task, model, "$NOW"), task.timeout), f"{WAITING}/{model}"
    if task.waits:
        left = f'mkdir -p {WAITING}; echo "{model}: {task.name} said that nothing is to be learnt now, so this is left out." > {note}'
        return f"rm -f {note}\n" + tried(line, task, lambda code: f"[ {code} -ne {NO} ] || {{ {left}; }}; exit {code}")
    first = f"if [ -e {note} ]; then cat {note}; exit 0; fi\n" if model and _waited_for(pipeline, task) else ""
    return first + tried(line, task)


def _waited_for(pipeline: Pipeline, task: Task) -> list[Task]:
    """The tasks before one, however far, whose no is nothing to mend."""
    found: list[Task] = []
    for need in map(pipeline.task, task.needs):
        found += [*([need] if need.waits else []), *_waited_for(pipeline, need)]
    return list(dict.fromkeys(found))


def _last_gate(pipeline: Pipeline, model: str) -> Task | None:
    """The gate behind which a model was let through by all of them; None where nothing lets it in."""
    return next((task for task in reversed(in_order(pipeline.tasks)) if task.gate and model in task.foreach), None)


def _test(pipeline: Pipeline) -> Mapping[str, Data]:
    reports = below(pipeline, "reports/")
    return {
        "stage": "test",
        "script": [installed(tests=True), *(line for lines in tests(pipeline, "Warning: ").values() for line in lines.split("\n"))],
        "timeout": "30 minutes",
        "artifacts": {"paths": [reports], "when": "always", "reports": {"junit": f"{reports}tests.xml"}},
    }


def _propose(pipeline: Pipeline, model: str) -> Mapping[str, Data]:
    """A merge request, judged in a house of its own: nothing it does reaches the one that answers."""
    return {
        "stage": "propose",
        "rules": [{"if": PROPOSAL}],
        "needs": ["test"],
        "variables": {"MODEL": model, **beside(PROPOSED)},
        "script": [*judged_apart(pipeline), f'[ -z "$COMMENTS_TOKEN" ] || {NOTE}'],
        "artifacts": {
            "paths": [below(pipeline, "reports/")],
            "when": "always",
            "reports": {"junit": below(pipeline, f"reports/*-{model}.xml")},
        },
    }


def _image(pipeline: Pipeline, repository: str) -> Mapping[str, Data]:
    """What passed, as an image: built, looked through, pushed, and known by its digest. Where no model passed it ends without one.

    It comes whatever became of the gates (``when: always``), since a gate that said no is a job that failed; which said yes is a file. It
    names no jobs it needs: as soon as one of those is skipped GitLab would begin with it, while others are still under way.
    """
    tag = f'"{repository}:$CI_COMMIT_SHA"'
    return {
        "stage": "image",
        "rules": [{"if": LEARNS, "when": "always"}],
        "image": "docker:28",
        "services": ["docker:28-dind"],
        "before_script": [
            *_inside(pipeline),
            'echo "$CI_REGISTRY_PASSWORD" | docker login "$CI_REGISTRY" --username "$CI_REGISTRY_USER" --password-stdin',
        ],
        "script": [
            f'[ -n "$(ls {PASSED} 2> /dev/null)" ] || {{ echo "No model was let in, so no image is built."; touch image.env; exit 0; }}',
            BUILD.format(passed=PASSED, image=tag),
            SCAN.format(image=tag),
            f"docker push {tag}",
            f"echo \"{IMAGE}=$(docker inspect --format '{{{{index .RepoDigests 0}}}}' {tag})\" > image.env",
        ],
        "artifacts": {"reports": {"dotenv": below(pipeline, "image.env")}},
    }
