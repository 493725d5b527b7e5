"""A project's pipeline: what its models and everloop.toml say, as the steps that somebody else's scheduler runs.

In: a project, settings. Out: a ``Pipeline``. Opens no house: what is exported holds for whoever runs it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from everloop.connect.needed import asked_settings
from everloop.errors import SettingsError, Unknown
from everloop.loop.project_file import Project
from everloop.project.model import Model
from everloop.project.pipeline import Arrival, Pipeline, learning, mistakes_of
from everloop.project.spans import every
from everloop.settings import FILE, Settings, beside

TIMEOUT = timedelta(hours=2)


def pipeline_of(
    project: Project, settings: Settings, models: Sequence[str] = (), verbs: tuple[str, ...] = (), *, run_in: Path | None = None
) -> Pipeline:
    """The pipeline of these models (all of them unless said), checked. ``verbs``: the commands of the terminal, to hold its own against.
    ``run_in``: the folder that its steps are run in, where that is not the project's own.

    Raises SettingsError with every mistake of it, Unknown for a model, a source, a step or a stage there is not.
    """
    chosen = [project.model(name) for name in models or project.models]
    said, schedule = settings.pipeline, clock_of(chosen, settings)
    names = tuple(model.name for model in chosen)
    longest = min(TIMEOUT, schedule.span) if schedule is not None else TIMEOUT
    file = _file(project, run_in)
    common = (*file, *(("--stage", settings.stage) if settings.stage else ()))
    words = {"retries": said.retries, "retry_after": said.retry_after, "timeout": said.timeout or longest}
    files = any(source.name in settings.sources for model in chosen for source in model.sources)
    tasks = learning(names, files=files, words=words, common=common, deploy=said.deploy, pods=said.pods, refused=said.refused)
    _known(said.pods, [task.name for task in tasks], "step", f"[pipeline] pods of {FILE}")
    _known(tuple(said.arrives), sorted(project.sources), "source", f"[pipeline] arrives of {FILE}")
    made = Pipeline(
        name=_name(project),
        tasks=tasks,
        models=names,
        refused=said.refused,
        schedule=schedule,
        arrivals=tuple(Arrival(source, url) for source, url in said.arrives.items()),
        image=said.image,
        folder=said.folder or str(settings.folder),
        file=file,
        stage=settings.stage or "",
        secrets=_secrets(settings),
        secrets_beside=tuple(sorted({*asked_settings(settings.folder, None, there=beside("."))[1], *_named_in(said.backup)})),
        apart=is_apart(settings),
        shared=said.shared,
        runner=said.runner,
        tags=said.tags,
        asked=min((model.asked for model in chosen if model.asked is not None), key=lambda clock: clock.span, default=None),
        deploy=said.deploy,
        backup=said.backup,
        proposes=settings.online is None,
    )
    refuse_mistakes(made, verbs)
    return made


def refuse_mistakes(pipeline: Pipeline, verbs: tuple[str, ...] = ()) -> None:
    """Raise SettingsError with everything about a pipeline that no scheduler could run."""
    if wrong := mistakes_of(pipeline, verbs):
        count = "one mistake" if len(wrong) == 1 else f"{len(wrong)} mistakes"
        raise SettingsError(f"The pipeline {pipeline.name} has {count}; nothing was written.\n  " + "\n  ".join(wrong))


def clock_of(models: Sequence[Model], settings: Settings) -> every | None:
    """When a run begins: as everloop.toml says, else as often as the most impatient model wishes to learn anew, else as often as one is
    asked; None where nothing says so."""
    said = settings.pipeline
    if said.every is not None or said.at is not None:
        return every(said.every or timedelta(days=1), at=said.at, zone=said.zone)
    wished = [wish for model in models for wish in model.retrain_when if isinstance(wish, every)]
    asked = [model.asked for model in models if model.asked is not None]
    return min(wished or asked, key=lambda clock: clock.span, default=None)


def is_apart(settings: Settings) -> bool:
    """Is everything a house keeps for good reached by URL, so that steps may run on machines of their own?"""
    databases = not any(url.startswith("sqlite:") for url in (settings.registry, settings.events))
    return databases and all("://" in url for url in (settings.lake, settings.blobs))


def _file(project: Project, run_in: Path | None) -> tuple[str, ...]:
    """The words by which a step finds the project file from the folder it is run in; none where it finds it by itself.

    >>> shop = Project({}, {}, Path("/shops/beans/project.py"))
    >>> _file(shop, None), _file(shop, Path("/shops/beans")), _file(shop, Path("/shops/data"))
    ((), (), ('--project', '../beans'))
    >>> _file(Project({}, {}, Path("/shops/beans.py")), None)
    ('--project', 'beans.py')
    """
    if project.path is None:
        return ()
    by_itself = project.path.name == "project.py"
    seen = os.path.relpath(project.path.parent if by_itself else project.path, (run_in or project.path.parent).resolve())
    return () if seen == "." else ("--project", Path(seen).as_posix())


def checked_out_below(folder: Path, root: Path) -> str:
    """Where the project's folder lies in a repository whose root is this. Empty: it is the root, or what is written is carried to it.

    >>> checked_out_below(Path("/shops/beans"), Path("/shops")), checked_out_below(Path("/shops"), Path("/tmp/written"))
    ('beans', '')
    """
    seen = Path(os.path.relpath(folder.resolve(), root.resolve())).as_posix()
    return "" if seen == "." or seen.startswith("..") else seen


def _name(project: Project) -> str:
    """What the pipeline is called: as the folder of the project, in letters every scheduler reads.

    >>> from pathlib import Path
    >>> _name(Project({}, {}, Path("/shops/Beans & More/project.py"))), _name(Project({}, {}))
    ('beans_more', 'everloop')
    """
    folder = project.path.parent.name if project.path is not None else ""
    plain = "_".join("".join(c if c.isascii() and c.isalnum() else " " for c in folder.lower()).split())[:40].strip("_")
    return plain if plain[:1].isalpha() else f"everloop_{plain}".strip("_")


def _known(names: Sequence[str], there: Sequence[str], noun: str, where: str) -> None:
    for name in names:
        if name not in there:
            raise Unknown(noun, name, there, where=where)


def _secrets(settings: Settings) -> tuple[str, ...]:
    """What the stage asks for, and the stage that versions go to: no other's passwords are at hand."""
    stages = (settings.stage, settings.pipeline.deploy) if settings.pipeline.deploy else (settings.stage,)
    said = settings.pipeline
    asked = {name for stage in stages for name in asked_settings(settings.folder, stage)[1]}
    return tuple(sorted(asked | _named_in(said.backup, said.shared, said.folder, said.image, *said.arrives.values())))


def _named_in(*texts: str | None) -> set[str]:
    """The variables in texts that are written down word for word.

    >>> _named_in(None, "s3://${PLACE}/house")
    {'PLACE'}
    """
    return {name for text in texts if text for name in re.findall(r"\$\{(\w+)\}", text)}
