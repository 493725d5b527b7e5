"""GitHub Actions: one workflow. A pull request is tested and judged in a house of its own, with the verdict as a comment; the default
branch, a clock and an arrival learn in the house there is, and bring out what passed.

Each model is one job of a matrix, whose steps are the steps of the pipeline: what a step's gate does not let through is not run, and the
job stays green. Sources: GitHub's documentation, "Workflow syntax", "Events that trigger workflows", "Contexts".
"""

from __future__ import annotations

from collections.abc import Mapping

from everloop.connect.pipelines.carried import GITHUB, ROLLS, left_over
from everloop.connect.pipelines.ci import BUILD, PASSED, PROPOSED, SCAN, below, image_of, installed, judged_apart, pushed_to, tests
from everloop.connect.pipelines.lines import command, limited, tried
from everloop.connect.pipelines.texts import Data, yaml
from everloop.project.pipeline import Pipeline, Task, cron, in_order
from everloop.settings import HOUSE, IMAGE, beside

MARK = "Written by everloop export github"
FILE = ".github/workflows/everloop.yml"
CHECKOUT = "actions/checkout@v6"
PYTHON = "actions/setup-python@v6"
KEEP = "actions/upload-artifact@v6"
FETCH = "actions/download-artifact@v7"
MODEL_OF = "${{ matrix.model }}"
NOW = "${{ needs.moment.outputs.now }}"
OWN = "ubuntu-latest"
"""Where GitHub runs what is not done in the house: tests, what somebody proposes, images. Nobody's code comes to other machines unread."""
ENVIRONMENT = "everloop-proposed"
"""GitHub's environment of the job that runs what a pull request proposes: who has to approve it first is said there."""


def files(pipeline: Pipeline, repository: str = "") -> dict[str, str]:
    """The workflow, by its path. ``repository``: where images go, such as ``ghcr.io/shop/models``; none: none is built.

    Raises EverloopError for what is no repository.
    """
    repository = pushed_to(repository) if repository else ""
    lines = [
        f"{MARK}; written anew by the next one.",
        f"The models of {pipeline.name}.",
        "Gates: where a record says no (exit code 1), the steps after it are not run, and the job stays green.",
        ROLLS,
        *left_over(pipeline, GITHUB),
    ]
    if repository:
        lines.append(image_of(pipeline))
    body: dict[str, Data] = {
        "name": pipeline.name,
        "on": _on(pipeline),
        "permissions": {"contents": "read"},
        "concurrency": {"group": "everloop-${{ github.ref }}", "cancel-in-progress": "${{ github.event_name == 'pull_request' }}"},
        **({"defaults": {"run": {"working-directory": pipeline.below}}} if pipeline.below else {}),
        "jobs": _jobs(pipeline, repository),
    }
    return {FILE: yaml(body, "\n".join(lines))}


def _on(pipeline: Pipeline) -> Mapping[str, Data]:
    when: dict[str, Data] = {"pull_request": None, "push": {"branches": ["main"]}}
    counted = cron(pipeline.schedule) if pipeline.schedule else None
    if pipeline.schedule and counted:
        zone = pipeline.schedule.zone
        when["schedule"] = [{"cron": counted} | ({"timezone": zone} if zone and zone != "UTC" else {})]
    if pipeline.arrivals:
        when["repository_dispatch"] = {"types": ["arrived"]}
    asks: dict[str, Data] = {
        "description": "The instant the run is about, such as 2026-11-22; now if empty",
        "type": "string",
        "required": False,
    }
    when["workflow_dispatch"] = {"inputs": {"now": asks}}
    return when


def _jobs(pipeline: Pipeline, repository: str) -> Mapping[str, Data]:
    learns = "github.event_name != 'pull_request'"
    moment: dict[str, Data] = {
        "if": learns,
        "needs": ["test"],
        "runs-on": OWN,
        "outputs": {"now": "${{ steps.now.outputs.now }}"},
        "steps": [
            {
                "id": "now",
                "name": "The instant the run is about; a job that is run again is about the same",
                "env": {"SAID": "${{ inputs.now || github.event.client_payload.now }}"},
                **_at_the_root(pipeline),
                "run": 'echo "now=${SAID:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}" >> "$GITHUB_OUTPUT"\n',
            }
        ],
    }
    proposed = {"propose": _propose(pipeline)} if pipeline.proposes else {}
    jobs: dict[str, Data] = {"test": _test(pipeline), **proposed, "moment": moment}
    once = [task for task in in_order(pipeline.tasks) if not task.foreach]
    for task in once:
        jobs[task.name] = _job(pipeline, [task], ["moment", *task.needs], "")
    for number, models in enumerate(dict.fromkeys(task.foreach for task in in_order(pipeline.tasks) if task.foreach)):
        inside = [task for task in in_order(pipeline.tasks) if task.foreach == models]
        outside = [need for task in inside for need in task.needs if need in {each.name for each in once}]
        jobs[f"learn{number or ''}"] = _job(pipeline, inside, ["moment", *dict.fromkeys(outside)], MODEL_OF)
    if repository:
        jobs["image"] = _image(pipeline, repository, [name for name in jobs if name.startswith("learn")])
    return jobs


def _job(pipeline: Pipeline, tasks: list[Task], needs: list[str], model: str) -> Mapping[str, Data]:
    """One job: its steps one after the other, each where the gates before it let it through."""
    minutes = (
        sum((task.retries + 1) * task.timeout.total_seconds() + task.retries * task.retry_after.total_seconds() for task in tasks) / 60
    )
    job: dict[str, Data] = {"needs": needs, "runs-on": pipeline.runner, "timeout-minutes": min(360, max(1, round(minutes)))}
    if model:
        job["strategy"] = {"fail-fast": False, "matrix": {"model": list(tasks[0].foreach)}}
    job |= _inside(pipeline)
    steps: list[Data] = [*_prepared(pipeline)]
    behind: dict[str, list[str]] = {}
    for task in tasks:
        gates = list(dict.fromkeys(gate for need in task.needs if need in behind for gate in behind[need]))
        behind[task.name] = [*gates, *([task.name] if task.gate else [])]
        line = limited(command(task, "$MODEL", "$NOW"), task.timeout)
        step: dict[str, Data] = {"id": task.name, "name": f"{task.name} {model}".strip()}
        if gates:
            step["if"] = " && ".join(f"steps.{gate}.outputs.said != 'no'" for gate in gates)
        step["env"] = {"NOW": NOW} | ({"MODEL": model} if model else {})
        step["run"] = tried(line, task, _said_no if task.gate else "exit {}".format)
        steps.append(step)
    summary = 'for file in reports/card-*.md; do [ -e "$file" ] && cat "$file" >> "$GITHUB_STEP_SUMMARY"; done; true\n'
    kept = {"name": f"reports-{model or tasks[0].name}", "path": below(pipeline, "reports/"), "if-no-files-found": "ignore"}
    steps += (
        [*_let_in(pipeline, tasks), {"if": "always()", "run": summary}, {"if": "always()", "uses": KEEP, "with": kept}] if model else []
    )
    return job | {"steps": steps}


def _at_the_root(pipeline: Pipeline) -> Mapping[str, Data]:
    """Said of a step that runs before anything is checked out, where the others run in a folder of that."""
    return {"working-directory": "."} if pipeline.below else {}


def _let_in(pipeline: Pipeline, tasks: list[Task]) -> list[Data]:
    """A model that every gate let through is told to the job that builds the image: all of them are green, whatever their records said."""
    passed = " && ".join(f"steps.{task.name}.outputs.said != 'no'" for task in tasks if task.gate)
    if not passed:
        return []  # nothing is let in here
    told: dict[str, Data] = {"name": f"passed-{MODEL_OF}", "path": below(pipeline, f"{PASSED}/"), "overwrite": True}
    line = f'mkdir -p {PASSED} && echo "$MODEL" > "{PASSED}/$MODEL"\n'
    return [
        {"if": passed, "name": f"passed {MODEL_OF}", "env": {"MODEL": MODEL_OF}, "run": line},
        {"if": passed, "uses": KEEP, "with": told},
    ]


def _said_no(code: str) -> str:
    """A record that said no is told to the steps behind it, and is no failure of the job."""
    return f'[ {code} -ne 1 ] || {{ echo "said=no" >> "$GITHUB_OUTPUT"; exit 0; }}; exit {code}'


def _inside(pipeline: Pipeline) -> Mapping[str, Data]:
    """The image a job runs in, and what it is given: the house, and secrets by name."""
    env: dict[str, Data] = {HOUSE: pipeline.shared} if pipeline.shared else {}
    env |= {IMAGE: pipeline.image} if pipeline.image else {}
    env |= {name: f"${{{{ secrets.{name} }}}}" for name in pipeline.secrets}
    job: dict[str, Data] = {"env": env} if env else {}
    if pipeline.image:
        volumes: Mapping[str, Data] = {"volumes": [f"{pipeline.shared}:{pipeline.shared}"]} if pipeline.shared else {}
        job["container"] = {"image": pipeline.image, **volumes}
    return job


def _prepared(pipeline: Pipeline) -> list[Data]:
    steps: list[Data] = [{"uses": CHECKOUT, "with": {"persist-credentials": False}}]
    if not pipeline.image:
        steps += [_python(pipeline), {"run": installed() + "\n"}]
    return steps


def _python(pipeline: Pipeline) -> Mapping[str, Data]:
    where: dict[str, Data] = {"cache-dependency-path": below(pipeline, "requirements.txt")} if pipeline.below else {}
    return {"uses": PYTHON, "with": {"python-version": "3.12", "cache": "pip", **where}}


def _test(pipeline: Pipeline) -> Mapping[str, Data]:
    steps: list[Data] = [{"uses": CHECKOUT, "with": {"persist-credentials": False}}]
    steps += [_python(pipeline), {"run": installed(tests=True) + "\n"}]
    steps += [{"name": name, "run": line + "\n"} for name, line in tests(pipeline, "::warning::").items()]
    kept = {"name": "tests", "path": below(pipeline, "reports/"), "if-no-files-found": "ignore"}
    return {"runs-on": OWN, "timeout-minutes": 30, "steps": [*steps, {"if": "always()", "uses": KEEP, "with": kept}]}


def _propose(pipeline: Pipeline) -> Mapping[str, Data]:
    """A pull request, judged in a house of its own: nothing it does reaches the one that answers."""
    env: dict[str, Data] = {"MODEL": MODEL_OF, "NOW": "${{ github.event.pull_request.updated_at }}"}
    env |= beside(PROPOSED)
    # What nobody has approved yet runs here: it is given no password of a database, and what it is given can be made to wait for a yes.
    env |= {name: f"${{{{ secrets.{name} }}}}" for name in pipeline.secrets_beside}
    kept = {"name": f"proposed-{MODEL_OF}", "path": below(pipeline, "reports/"), "if-no-files-found": "ignore"}
    comment = 'gh pr comment "$NUMBER" --repo "$GITHUB_REPOSITORY" --body-file "reports/comment-$MODEL.md" --edit-last --create-if-none\n'
    steps: list[Data] = [{"uses": CHECKOUT, "with": {"persist-credentials": False}}]
    steps += [_python(pipeline), {"run": installed() + "\n"}]
    steps += [
        {"name": "Learn and judge, apart", "run": "\n".join(judged_apart(pipeline)) + "\n"},
        {
            "name": "Say so",
            "if": "github.event.pull_request.head.repo.full_name == github.repository",
            "env": {"GH_TOKEN": "${{ github.token }}", "NUMBER": "${{ github.event.pull_request.number }}"},
            "run": comment,
        },
        {
            "if": "always()",
            "uses": KEEP,
            "with": kept,
        },
    ]
    return {
        "if": "github.event_name == 'pull_request'",
        "needs": ["test"],
        "environment": ENVIRONMENT,
        "runs-on": OWN,
        "timeout-minutes": 120,
        "permissions": {"contents": "read", "pull-requests": "write"},
        "strategy": {"fail-fast": False, "max-parallel": 1, "matrix": {"model": list(pipeline.models)}},
        "env": env,
        "steps": steps,
    }


def _image(pipeline: Pipeline, repository: str, learns: list[str]) -> Mapping[str, Data]:
    """What passed, as an image: built, looked through, pushed, and known by its digest. Where no model passed it ends without one."""
    there = f"""[ -n "$(ls "$RUNNER_TEMP/{PASSED}" 2> /dev/null)" ] && echo "any=yes" >> "$GITHUB_OUTPUT" \\
  || echo "No model was let in, so no image was built." >> "$GITHUB_STEP_SUMMARY"
"""
    any_passed = {"if": "steps.passed.outputs.any == 'yes'"}
    registry, tag = repository.split("/")[0], f'"{repository}:$GITHUB_SHA"'
    login = f'echo "$TOKEN" | docker login {registry} --username "$GITHUB_ACTOR" --password-stdin'
    push = [
        login,
        f'docker push "{repository}:$GITHUB_SHA"',
        f'digest="$(docker inspect --format \'{{{{index .RepoDigests 0}}}}\' "{repository}:$GITHUB_SHA")"',
        'echo "digest=$digest" >> "$GITHUB_OUTPUT"',
        f'echo "{IMAGE}=$digest" >> "$GITHUB_STEP_SUMMARY"',
    ]
    return {
        "if": "github.event_name != 'pull_request'",
        "needs": list[Data](learns),
        "runs-on": OWN,
        "timeout-minutes": 60,
        "permissions": {"contents": "read", "packages": "write"},
        "outputs": {"digest": "${{ steps.push.outputs.digest }}"},
        "steps": [
            {"uses": FETCH, "with": {"pattern": "passed-*", "path": f"${{{{ runner.temp }}}}/{PASSED}", "merge-multiple": True}},
            {"id": "passed", "name": "Was a model let in?", **_at_the_root(pipeline), "run": there},
            {**any_passed, "uses": CHECKOUT, "with": {"persist-credentials": False}},
            {
                **any_passed,
                "name": "Build",
                "run": BUILD.format(passed=f'"$RUNNER_TEMP/{PASSED}"', image=tag) + "\n",
            },
            {**any_passed, "name": "Look through it for known holes", "run": SCAN.format(image=tag) + "\n"},
            {**any_passed, "id": "push", "name": "Push, by digest", "env": {"TOKEN": "${{ github.token }}"}, "run": "\n".join(push) + "\n"},
        ],
    }
