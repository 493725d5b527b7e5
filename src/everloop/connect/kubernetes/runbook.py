"""What people do with a deployment: build, begin, look, and take back; as one page beside the manifests. In: facts. Out: Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from everloop.connect.kubernetes.facts import APP, BAKED, HOUSE, SECRET, Deployed
from everloop.connect.kubernetes.overlays import AUTHORITY, PUT_IN


def runbook(said: Deployed, mark: str, folder: str, *, answers: str, overlays: bool, from_files: tuple[str, ...] = ()) -> str:
    """The page. ``folder`` is where the files are, as seen from the project's; ``answers`` the Deployment that answers, ``overlays``
    whether an image can be rolled out by them; ``from_files`` the sources whose rows lie in files of the machine this was written on."""
    parts = [_head(said, mark), _build(said, folder), _begin(said, folder, answers, from_files), _look(said), _learn(said)]
    parts += [_back(said, answers, overlays), *([_rolled(said, folder)] if overlays else [])]
    return "\n".join(line for part in parts for line in part) + "\n"


def _exec(said: Deployed, words: str) -> str:
    of = f"deployment/{said.name}" if said.baked or said.local else f"deployment/{said.name}-worker"
    return f"kubectl -n {said.namespace} exec {of} -- everloop {words} --project {APP} --house {HOUSE}" + (
        f" --stage {said.stage}" if said.stage else ""
    )


def _head(said: Deployed, mark: str) -> Iterator[str]:
    what = f"{said.baked.version}, baked into its image" if said.baked else f"{', '.join(said.models)}"
    yield f"<!-- Written by {mark} -->"
    yield f"# {said.name} on Kubernetes"
    yield ""
    yield f"Answers for {what}, at `http://{said.address}` inside the cluster."
    yield ""
    yield "| | asks for | at most | because |"
    yield "|---|---|---|---|"
    for who, room in (("serving", said.serving), *(() if said.baked or said.local else (("learning", said.learning),))):
        yield f"| {who} | {room.millicores} m CPU, {room.asked_mebi} MiB | {room.most_mebi} MiB | {room.seen} |"
    yield ""


def _build(said: Deployed, folder: str) -> Iterator[str]:
    yield "## Build, and pin what was pushed"
    yield ""
    yield "```sh"
    targets = ["serving"] if said.baked or said.local else ["serving", "training"]
    if said.baked:
        yield "export PREDICT_KEY=ev_…   # who may ask it: everloop key add till predict, in any house"
    secret = f" --secret id={SECRET},env=PREDICT_KEY" if said.baked else ""
    for target in targets:
        yield f"docker build{secret} -f {folder}/Dockerfile --target {target} -t {said.image}-{target}:$(git rev-parse --short HEAD) ."
        yield f"docker push {said.image}-{target}:$(git rev-parse --short HEAD)"
    for target in targets:
        yield f"(cd {folder}/base && kustomize edit set image {said.name}-{target}={said.image}-{target}@sha256:…)   # what push said"
    yield "```"
    yield ""


def _begin(said: Deployed, folder: str, answers: str, from_files: tuple[str, ...]) -> Iterator[str]:
    yield "## Begin"
    yield ""
    yield "```sh"
    if said.namespace != "default":  # which is there in every cluster
        yield f"kubectl create namespace {said.namespace}"
    if said.secrets:
        yield f"kubectl -n {said.namespace} create secret generic {said.secret} \\"
        yield "  " + " ".join(f"--from-literal={name}=…" for name in said.secrets)
    yield f"kubectl apply -k {folder}/base && kubectl -n {said.namespace} rollout status deployment/{answers}"
    if not said.baked:
        yield _exec(said, "key add till predict")
    yield f"kubectl -n {said.namespace} label pod --selector app=till {said.name}-client=true   # who may ask at all"
    yield "```"
    yield ""
    if said.baked:
        yield f"Each pod is a house of its own, unpacked from `{BAKED}`, which lets in the key it was built with. What it answers goes with"
        yield "its pod. Another version, or another key, is another image."
        yield ""
    for source in from_files:
        yield f"- `{source}` is read from a file of the machine this was written on. Here its rows come by `POST /v1/events/{source}`,"
        yield f"  or say a URL: `[{said.stage}.sources]`." if said.stage else "  or say a URL: `[sources]`."
    if from_files:
        yield ""


def _look(said: Deployed) -> Iterator[str]:
    yield "## How does it stand?"
    yield ""
    yield "```sh"
    yield f"kubectl -n {said.namespace} get deployment,pod,hpa,pdb -l app.kubernetes.io/name={said.name}"
    if not said.baked:
        yield _exec(said, "status")
        yield _exec(said, "incidents")
        yield f'curl -s http://{said.address}/v1/rollouts/{said.models[0]}/verdict -H "Authorization: Bearer $LOOK_KEY"   # scope look'
    yield f"curl -s http://{said.address}/health/ready"
    yield "```"
    yield ""


def _learn(said: Deployed) -> Iterator[str]:
    if not said.baked and not said.local:
        yield "## Learn now"
        yield ""
        yield "A candidate whether or not anything asks for one, through the same gates as any:"
        yield ""
        yield "```sh"
        yield f"kubectl -n {said.namespace} create job {said.name}-now --from=cronjob/{said.name}-retrain"
        yield "```"
        yield ""


def _back(said: Deployed, answers: str, overlays: bool) -> Iterator[str]:
    yield "## Take it back"
    yield ""
    if not said.baked:
        model = said.models[0]
        yield "**A version of a model**, at once, in every pod; no image is rolled out and none is loaded:"
        yield ""
        yield "```sh"
        yield _exec(said, f"undo {model} --by $USER --reason 'it doubles every Monday'")
        yield _exec(said, f"hold {model} --by $USER --reason 'a sale'")
        yield "```"
        yield ""
    yield "**An image**, so a project file or a release:"
    yield ""
    yield "```sh"
    yield f"kubectl -n {said.namespace} rollout undo deployment/{answers}" + (
        "" if said.baked or said.local else f" && kubectl -n {said.namespace} rollout undo deployment/{said.name}-worker"
    )
    if overlays:
        yield f"kubectl -n {said.namespace} delete deployment/{said.name}-canary   # a canary of it"
    yield "```"
    yield ""


def _rolled(said: Deployed, folder: str) -> Iterator[str]:
    yield "## A canary of an image"
    yield ""
    yield f"`kubectl apply -k {folder}/overlays/canary` puts one pod of another image behind the same Service (`kustomize edit set image"
    yield f"{said.name}-canary=…`): beside N pods it answers one request in N + 1. Which version of a model answers a unit is the same in"
    yield "all of them."
    if said.baked:
        return
    yield ""
    yield "Argo Rollouts and Flagger roll an image out by the verdict of the house, which survives being looked at as often as they do:"
    yield ""
    yield "```sh"
    yield _exec(said, "key add rollouts look")
    kept = f"kubectl -n {said.namespace} patch secret {said.secret} --patch"
    yield f"""{kept} '{{"stringData":{{"LOOK_KEY":"ev_…"}}}}'   # Argo Rollouts reads it there"""
    yield f"kubectl apply -k {folder}/overlays/argo"
    yield f"echo '{PUT_IN}=flagger:ev_…@{said.address}' > {folder}/overlays/flagger/{AUTHORITY}   # not for Git"
    yield f"kubectl apply -k {folder}/overlays/flagger"
    yield "```"
