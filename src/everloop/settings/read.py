"""Where things are: ``everloop.toml``, its stages, and the environment. *What* to predict is never here. Standard library only.

In: a folder, a stage, flags, the environment. Out: one frozen ``Settings``. Reads one file and the environment, here and nowhere else;
opens nothing it names. A flag beats the environment, the environment beats the stage's table, the table beats the file, the file beats
the default. Every mistake of a file is told at once.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from everloop.errors import SettingsError, Unknown
from everloop.settings.aloud import said_aloud
from everloop.settings.checks import (
    Checker,
    count,
    executor,
    files,
    filled,
    http,
    level,
    near,
    one_of,
    person,
    place,
    price,
    redis,
    share,
    site,
    span_of,
    text,
    yes_or_no,
)
from everloop.settings.pipeline import IMAGE, run_of
from everloop.settings.pipeline import KEYS as PIPELINE_KEYS
from everloop.settings.pipeline import settled as settled_pipeline
from everloop.settings.records import (
    ALIASES,
    FILE,
    Address,
    Console,
    Executor,
    Governor,
    Logs,
    Place,
    Serving,
    Settings,
    Signing,
    SourceFiles,
    Storage,
    Workers,
)
from everloop.settings.shop import KEYS as SHOP_KEYS
from everloop.settings.shop import settled as settled_shop
from everloop.settings.streams import settled as settled_streams
from everloop.settings.streams import stream

ENVIRONMENT = {
    "EVERLOOP_STAGE": "the table of everloop.toml to use, such as prod",
    "EVERLOOP_HOUSE": "the house folder",
    "EVERLOOP_LAKE": "the lake, a folder or a URL",
    "EVERLOOP_BLOBS": "what is learnt and learnt from, a folder or a URL",
    "EVERLOOP_REGISTRY": "the database of decisions, a URL",
    "EVERLOOP_EVENTS": "the database of events not sealed yet, a URL",
    "EVERLOOP_AUTONOMY": "the highest level of autonomy: observe, suggest or act",
    "EVERLOOP_IMAGE": "the image this runs in, with its digest, for the lineage of what is learnt",
}


def read_settings(
    folder: Path | str,
    *,
    stage: str | None = None,
    house: Path | str | None = None,
    lake: str | None = None,
    blobs: str | None = None,
    registry: str | None = None,
    events: str | None = None,
    autonomy: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings that hold in a project folder; ``None`` means: not said by a flag. No file at all is fine.

    ``environ`` is the process's environment unless given.

    >>> read_settings("/shop", environ={}).registry
    'sqlite:////shop/.everloop/house.db'

    Raises SettingsError naming every mistake, Unknown for a stage without a table.
    """
    root = Path(folder).absolute()
    env = os.environ if environ is None else environ
    _mistyped(env)
    tables = _read(root / FILE)
    mistakes: list[str] = []
    values = _checked(tables, mistakes)
    stages = [name for name, table in tables.items() if name not in KEYS and isinstance(table, dict) and not near(name, KEYS)]
    chosen = stage or env.get("EVERLOOP_STAGE") or None
    for name in stages:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):  # it is written into files that shells and others read
            mistakes.append(f"{FILE}: a stage cannot be called {name!r}. Say letters, digits, - and _, a letter first.")
        over = _checked(tables[name], mistakes, f"{name}.")
        values = _over(values, over) if name == chosen else values
    said = {"house": house, "lake": lake, "blobs": blobs, "registry": registry, "events": events, "autonomy": autonomy}
    for key, flag in said.items():
        value = flag if flag is not None else env.get(f"EVERLOOP_{key.upper()}") or None
        if value is not None:
            values |= _checked({key: str(value)}, mistakes, where=f"--{key}" if flag is not None else f"EVERLOOP_{key.upper()}")
    if mistakes:
        raise SettingsError(f"{len(mistakes)} mistake{'s' * (len(mistakes) > 1)} in the settings.\n  " + "\n  ".join(mistakes))
    if chosen is not None and chosen not in stages:
        raise Unknown("stage", chosen, sorted(stages), where=FILE, next=f"Write a table [{chosen}] into {root / FILE}.")
    return _settled(root, chosen, values, env)


def secrets_aloud(folder: Path | str) -> tuple[str, ...]:
    """The keys of a project folder's file that hold a secret themselves, in any stage. Raises SettingsError for a file that is no TOML."""
    return said_aloud(_read(Path(folder) / FILE))


KEYS: dict[str, Checker | dict[str, Checker]] = {
    "house": text,
    "lake": place,
    "blobs": place,
    "registry": text,
    "events": text,
    "autonomy": level,
    "artefacts": {"pickle": yes_or_no},
    "training": {"max_questions": count, "child": yes_or_no},
    "sources": {"*": files},
    "streams": {"*": stream},
    "people": {"*": person},
    "serving": {
        "host": text,
        "port": count,
        "workers": count,
        "durability": one_of("process", "group", "sync"),
        "when_full": one_of("shed", "drop"),
        "largest_body": count,
        "traces": yes_or_no,
        "server": one_of("uvicorn", "granian"),
        "drain": price,
    },
    "prices": {"*": price},
    "governor": {
        "cooldown": span_of,
        "runs_a_day": count,
        "runs_a_week": count,
        "money_a_day": price,
        "money_a_week": price,
        "fresh_truths": count,
        "failures": count,
    },
    "workers": {"beside": count, "heavy": count, "kept": span_of},
    "console": {
        "on": yes_or_no,
        "url": site,
        "idle": span_of,
        "longest": span_of,
        "oidc": http,
        "oidc_client": text,
        "oidc_secret": text,
        "oidc_claim": text,
    },
    "logs": {"form": one_of("text", "json"), "level": one_of("debug", "info", "warning", "error"), "requests": yes_or_no},
    "online": {"url": redis},
    "skew": {"share": share},
    "storage": {"endpoint": site, "region": text, "allow_http": yes_or_no, "account": text},
    "executor": {"url": executor, "workers": count},
    "signing": {"key": text, "private_key": text, "password": text},
    "mlflow": {"url": http},
    "pipeline": PIPELINE_KEYS,
    "aliases": {"*": one_of("champion", "candidate")},
    "shopify": SHOP_KEYS,
}


def _checked(table: Mapping[str, Any], mistakes: list[str], prefix: str = "", *, where: str = "") -> dict[str, Any]:
    """The values of one table that are right; what is wrong with the others goes into ``mistakes``."""
    right: dict[str, Any] = {}
    for key, value in table.items():
        rule = KEYS.get(key)
        name = where or f"{FILE}: {prefix}{key}"
        if rule is None:
            stage = isinstance(value, dict) and not prefix
            if not stage or near(key, KEYS):
                mistakes.append(f"{FILE}: there is no setting {prefix}{key}{near(key, KEYS)}.")
        elif isinstance(rule, dict):
            right[key] = _table(value, rule, name, mistakes)
        else:
            _try(right, key, rule, value, name, mistakes)
    return right


def _table(value: Any, rules: dict[str, Checker], name: str, mistakes: list[str]) -> dict[str, Any]:
    right: dict[str, Any] = {}
    if not isinstance(value, dict):
        mistakes.append(f"{name} must be a table, not {value!r}.")
        return right
    for key, inner in value.items():
        rule = rules.get(key) or rules.get("*")
        if rule is None:
            mistakes.append(f"{FILE}: there is no setting {name.removeprefix(FILE + ': ')}.{key}{near(key, rules)}.")
        else:
            _try(right, key, rule, inner, f"{name}.{key}", mistakes)
    return right


def _try(right: dict[str, Any], key: str, rule: Checker, value: Any, name: str, mistakes: list[str]) -> None:
    try:
        right[key] = rule(value)
    except ValueError as error:
        mistakes.append(f"{name} {error}, not {value!r}.")
    except SettingsError as error:
        mistakes.append(f"{name}: {error}")


def _mistyped(env: Mapping[str, str]) -> None:
    for name in env:
        if name.startswith("EVERLOOP_") and name not in ENVIRONMENT and (meant := near(name, ENVIRONMENT)):
            raise SettingsError(f"The environment variable {name} means nothing{meant}")


# -- putting it together -----------------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} is no TOML: {error}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error


def _over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A stage's values over the file's; tables are laid over one another key by key."""
    return under | {key: under.get(key, {}) | value if isinstance(value, dict) else value for key, value in over.items()}


def _settled(root: Path, stage: str | None, values: dict[str, Any], env: Mapping[str, str]) -> Settings:
    house = root / Path(values.get("house", ".everloop")).expanduser()
    training, online = values.get("training", {}), values.get("online", {}).get("url")
    mlflow = values.get("mlflow", {}).get("url")
    urls = {
        "lake": _url(filled(values.get("lake", str(house / "lake")), env, "lake"), root),
        "blobs": _url(filled(values.get("blobs", str(house / "blobs")), env, "blobs"), root),
        "registry": _url(filled(values.get("registry", f"sqlite:///{house / 'house.db'}"), env, "registry"), root),
        "events": _url(filled(values.get("events", f"sqlite:///{house / 'events.db'}"), env, "events"), root),
    }
    sources = {
        name: SourceFiles(tuple(str(root / Path(file).expanduser()) if "://" not in file else file for file in s.files), s.known_after)
        for name, s in values.get("sources", {}).items()
    }
    return Settings(
        folder=root,
        stage=stage,
        house=house,
        **urls,
        online=None if online is None else filled(online, env, "online.url"),
        autonomy=values.get("autonomy", "act"),
        pickle=values.get("artefacts", {}).get("pickle", False),
        max_questions=training.get("max_questions", 1_000_000),
        child=training.get("child", True),
        sources=sources,
        streams=settled_streams(values.get("streams", {}), env),
        people={name: _reached(said, env, f"people.{name}") for name, said in values.get("people", {}).items()},
        prices=values.get("prices", {}),
        executor=_executor(values.get("executor", {}), env),
        governor=_governor(values.get("governor", {}), values.get("prices", {})),
        signing=_signing(values.get("signing", {}), root, env),
        mlflow=None if mlflow is None else filled(mlflow, env, "mlflow.url"),
        aliases=_aliases(values),
        shopify=settled_shop(values["shopify"], values.get("serving", {}), env) if "shopify" in values else None,
        serving=Serving(**values.get("serving", {})),
        storage=_storage(values.get("storage", {}), env),
        workers=Workers(**values.get("workers", {})),
        logs=Logs(**values.get("logs", {})),
        pipeline=settled_pipeline(values.get("pipeline", {})),
        image=env.get(IMAGE) or None,
        run=run_of(env),
        console=_console(values.get("console", {}), env),
        skew=values.get("skew", {}).get("share", 0.01),
    )


def _aliases(values: Mapping[str, Any]) -> Mapping[str, Place]:
    said: Mapping[str, Place] = values.get("aliases", ALIASES)
    for name in said:
        # Digits number versions, MLflow keeps "latest" and "v3" for itself, and the challenger is who asks for a contest.
        if not re.fullmatch(r"[A-Za-z][\w-]{0,99}", name) or re.fullmatch(r"v\d+|latest|newest|challenger", name.lower()):
            what = "Say letters, digits and -, but not v1, latest, newest or challenger."
            raise SettingsError(f"{FILE}: aliases.{name} cannot be a name. {what}")
    return said


def _governor(said: Mapping[str, Any], prices: Mapping[str, float]) -> Governor:
    for name in ("money_a_day", "money_a_week"):
        if name in said and not any(prices.values()):
            raise SettingsError(f"{FILE}: governor.{name} is a limit on nothing: nothing has a price. Say one: [prices] cpu_hour = 0.05")
    return Governor(**said)


def _console(said: Mapping[str, Any], env: Mapping[str, str]) -> Console:
    if "oidc" in said and not (said.get("oidc_client") and said.get("oidc_secret")):
        raise SettingsError(f"{FILE}: console.oidc needs console.oidc_client and console.oidc_secret, as the provider gave them.")
    if "oidc" not in said and any(name.startswith("oidc_") for name in said):
        raise SettingsError(f"{FILE}: console.oidc_client and its like are for nobody: there is no console.oidc, the provider's issuer.")
    # Users of a provider choose the rest themselves: whoever called themselves as an admin here would be that admin.
    if said.get("oidc_claim", "email") not in ("email", "sub"):
        raise SettingsError(
            f'{FILE}: console.oidc_claim must be "email", which the provider verifies, or "sub", which nobody chooses; '
            f"{said['oidc_claim']!r} may be what somebody calls themselves."
        )
    if not all(said.get(name, timedelta(1)) > timedelta(0) for name in ("idle", "longest")):
        raise SettingsError(f"{FILE}: console.idle and console.longest must be longer than nothing.")
    texts = {name: filled(said[name], env, f"console.{name}") for name in ("oidc", "oidc_client", "oidc_secret") if name in said}
    return Console(**{**said, **texts})


def _storage(said: Mapping[str, Any], env: Mapping[str, str]) -> Storage:
    endpoint = filled(said["endpoint"], env, "storage.endpoint") if "endpoint" in said else None
    if endpoint is not None and endpoint.startswith("http://") and not said.get("allow_http", False):
        raise SettingsError(f"{FILE}: storage.endpoint is asked without TLS. Say https://, or [storage] allow_http = true.")
    account = said.get("account") or env.get("AZURE_STORAGE_ACCOUNT_NAME")
    key, token = (env.get(f"AZURE_STORAGE_{name}") or None for name in ("ACCOUNT_KEY", "SAS_TOKEN"))
    return Storage(**{**said, "endpoint": endpoint, "account": account}, key=key, token=token)


def _executor(said: Mapping[str, Any], env: Mapping[str, str]) -> Executor:
    if "workers" in said and "url" not in said:
        raise SettingsError(f'{FILE}: executor.workers are nobody\'s: there is no executor.url. Say url = "processes".')
    url = filled(said["url"], env, "executor.url") if "url" in said else None
    # Ray's own variable, by which it is told where it runs (a job, a notebook).
    address = env.get("RAY_ADDRESS") or None if url == "ray" else None
    return Executor(url=url, workers=said.get("workers"), address=address)


def _signing(said: Mapping[str, Any], root: Path, env: Mapping[str, str]) -> Signing:
    if "password" in said and "private_key" not in said:
        raise SettingsError(f"{FILE}: signing.password opens nothing: there is no signing.private_key.")
    paths = {name: root / Path(said[name]).expanduser() for name in ("key", "private_key") if name in said}
    return Signing(**paths, password=filled(said["password"], env, "signing.password") if "password" in said else None)


def _reached(said: tuple[Address, ...], env: Mapping[str, str], name: str) -> tuple[Address, ...]:
    """A person's addresses; one text may hold several, with spaces or commas between them."""
    several = ((a, re.split(r"[\s,]+(?=[\w.+-]+://)", filled(a.to, env, name).strip(" \t\r\n,"))) for a in said)
    return tuple(dict.fromkeys(Address(to, a.least) for a, found in several for to in found))


def _url(text: str, root: Path) -> str:
    """A folder or a SQLite file made absolute; every other URL as it is."""
    if text.startswith("sqlite:///"):
        file = text.removeprefix("sqlite:///")
        return text if file in ("", ":memory:") else f"sqlite:///{root / Path(file).expanduser()}"
    return text if "://" in text else str(root / Path(text).expanduser())
