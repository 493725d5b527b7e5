"""Where things are: ``everloop.toml``, its stages, and the environment. *What* to predict is never here. Standard library only.

In: a folder, a stage, flags, the environment. Out: one frozen ``Settings``. Reads one file and the environment, here and nowhere else;
opens nothing it names. A flag beats the environment, the environment beats the stage's table, the table beats the file, the file beats
the default. Every mistake of a file is told at once.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from everloop.errors import SettingsError, Unknown

Level: TypeAlias = Literal["observe", "suggest", "act"]
LEVELS: tuple[Level, ...] = ("observe", "suggest", "act")
Durability: TypeAlias = Literal["process", "group", "sync"]
WhenFull: TypeAlias = Literal["shed", "drop"]
Server: TypeAlias = Literal["uvicorn", "granian"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
Checker: TypeAlias = Callable[[Any], Any]
FILE = "everloop.toml"
SHOP = r"[a-zA-Z0-9][a-zA-Z0-9\-]*\.myshopify\.com"
"""What a shop's permanent domain looks like, as Shopify's documentation of the authorization code grant says."""
ENVIRONMENT = {
    "EVERLOOP_STAGE": "the table of everloop.toml to use, such as prod",
    "EVERLOOP_HOUSE": "the house folder",
    "EVERLOOP_LAKE": "the lake, a folder or a URL",
    "EVERLOOP_REGISTRY": "the database of decisions, a URL",
    "EVERLOOP_EVENTS": "the database of events not sealed yet, a URL",
    "EVERLOOP_AUTONOMY": "the highest level of autonomy: observe, suggest or act",
}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class SourceFiles:
    """Where a source's rows come from, and how soon after it happened a row was known (None: when it is taken in)."""

    files: tuple[str, ...]
    known_after: timedelta | None = None

    def paths(self) -> list[Path]:
        """The files there are now, patterns such as ``orders-*.csv`` spelled out, in order. Raises SettingsError where one is not there."""
        found: list[Path] = []
        for file in self.files:
            path = Path(file)
            matches = sorted(path.parent.glob(path.name)) if re.search(r"[*?\[]", path.name) else [path] if path.exists() else []
            if not matches:
                pulled = Path(f"{file}.dvc").exists()
                next_ = f"DVC has it: dvc pull {file}.dvc" if pulled else f"Put it there, or mend [sources] in {FILE}."
                raise SettingsError(f"There is no file {file}. {next_}")
            found += matches
        return found


@dataclass(frozen=True)
class Address:
    """Where a person is told news, as an apprise URL, and how urgent it must be. A URL may hold secrets, so it is not in the repr."""

    to: str = field(repr=False)
    least: Severity = "info"


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How a house answers over HTTP."""

    host: str = "127.0.0.1"
    port: int = 8321
    workers: int = 1
    durability: Durability = "group"
    """What an answer or event that was acknowledged survives: ``process`` the end of the process, ``group`` also the power going more than
    50 ms later, ``sync`` the power going at once."""
    when_full: WhenFull = "shed"
    """Where the disk stalls: ``shed`` refuses to answer (503), ``drop`` answers and counts what was not remembered."""
    largest_body: int = 16_777_216
    """Bytes of one request's body."""
    traces: bool = False
    """Is each request a span for OpenTelemetry?"""
    server: Server = "uvicorn"
    """What reads HTTP in each worker; granian is an extra."""
    drain: float = 0.0
    """Seconds a worker that was told to end goes on answering, not ready any more, so that a load balancer sends it nobody."""


@dataclass(frozen=True, kw_only=True)
class Governor:
    """How often a model may wish to learn again in this house; what a person asks for is done all the same."""

    cooldown: timedelta = timedelta(hours=1)
    """From one training to the next, at least; never less than a truth takes."""
    runs_a_day: int = 4
    runs_a_week: int = 14
    money_a_day: float | None = None
    """What a day's training may cost, by ``[prices]``; None: as much as it costs."""
    money_a_week: float | None = None
    fresh_truths: int = 20
    """So many truths have to mature that nobody has learnt from yet."""
    failures: int = 2
    """After so many candidates in a row that nobody let in, it waits for much new truth, or a person."""


@dataclass(frozen=True, kw_only=True)
class Signing:
    """Whose signature a version needs before it answers here, and what signs what is let in and exported here."""

    key: Path | None = None
    """A public key (PEM): nothing learnt answers here that was not signed by it. None: nobody is asked for a signature."""
    private_key: Path | None = None
    """The private key that signs here; None: nothing is signed here."""
    password: str | None = field(default=None, repr=False)
    """What opens the private key, where it is closed."""


@dataclass(frozen=True, kw_only=True)
class Streams:
    """A stream of NATS JetStream or Kafka beside a shop's inbox."""

    url: str = field(repr=False)
    subject: str = "shopify"
    publish: bool = True
    """Is every delivery that comes in published to it?"""
    consume: bool = False
    """Are deliveries taken from it, as if they had come in here?"""


@dataclass(frozen=True, kw_only=True)
class Shopify:
    """The shop a house works for, the app it is known there by, and where both are asked."""

    shop: str
    """Its permanent domain, such as ``beans.myshopify.com``."""
    client_id: str
    secret: str = field(repr=False)
    """The app's client secret: it signs what Shopify says, and opens the tokens kept here."""
    old_secret: str | None = field(default=None, repr=False)
    """The one before, believed as well while Shopify changes over."""
    api_version: str = "2026-10"
    admin: str
    """Where the Admin API is asked; ``https://`` and the shop unless said otherwise."""
    host: str = "127.0.0.1"
    port: int = 8322
    """Where Shopify's own requests come in."""
    house: str = field(repr=False)
    """Where this house answers over HTTP; beside ``[serving]`` unless said otherwise."""
    key: str | None = field(default=None, repr=False)
    """The key shown there; none is needed on the same machine."""
    poll: timedelta = timedelta(minutes=1)
    """How often what the merchant says in the admin is read, should a webhook be lost."""
    recommends: str | None = None
    """The model that lists products for the storefront."""
    forecasts: str | None = None
    """The model that says how much of each product will be asked for."""
    within: timedelta = timedelta(days=14)
    """How long after a unit was first answered what it buys counts as its money. Said once: another span is another question."""
    settles: timedelta = timedelta(days=30)
    """How long after that goods may still come back, so that no bet is made before."""
    currency: str | None = None
    """The shop's currency, such as ``EUR``; None: it is learnt from the first order."""
    envelopes: str | None = field(default=None, repr=False)
    """The key shown with what comes by EventBridge, Pub/Sub or SQS; None: nothing comes that way."""
    streams: Streams | None = None
    """The stream deliveries are published to, or come from; None: there is none."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where one house is and what it may do. URLs may hold secrets, so they are not in the repr."""

    folder: Path
    """The folder relative paths start from: where everloop.toml is."""
    stage: str | None = None
    house: Path
    """The house folder: house.db, events.db, lake/, answers/, blobs/ unless said otherwise."""
    lake: str = field(repr=False)
    registry: str = field(repr=False)
    events: str = field(repr=False)
    online: str | None = field(default=None, repr=False)
    """Where what is known of each unit now is kept: a URL of Redis or Valkey; None: with the events."""
    autonomy: Level = "act"
    """No model acts above this level, whatever the project file says."""
    pickle: bool = False
    """May artefacts be loaded that run whatever code is in them?"""
    max_questions: int = 1_000_000
    """A training set holds at most so many questions, drawn by a seed; its record says so."""
    child: bool = True
    """Does training run in a child process, so that a learner that dies takes nothing with it?"""
    sources: Mapping[str, SourceFiles] = field(default_factory=dict)
    people: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    """Who an ``owner=`` is; ``everybody`` is told what has no owner, or one who is not here."""
    prices: Mapping[str, float] = field(default_factory=dict)
    governor: Governor = Governor()
    signing: Signing = Signing()
    mlflow: str | None = field(default=None, repr=False)
    """A tracking server of MLflow that everything is mirrored to; None: to none."""
    shopify: Shopify | None = None
    """The shop this house works for; None: for none."""
    serving: Serving = Serving()
    skew: float = 0.01
    """The share of units whose answers are read again each day, to see whether they were made from what the event log tells."""

    @property
    def blobs(self) -> Path:
        return self.house / "blobs"

    @property
    def compiled(self) -> Path:
        return self.house / "compiled"

    @property
    def signatures(self) -> Path:
        return self.house / "signatures"

    def told_to_mlflow(self, candidate: str) -> Path:
        """Where what a learner says to MLflow waits until the server has heard it."""
        return self.house / "mlflow" / candidate

    @property
    def answers(self) -> Path:
        return self.house / "answers"

    def at_most(self, level: Level) -> Level:
        """What a model that may ``level`` may do here.

        >>> read_settings(Path("/nowhere"), environ={"EVERLOOP_AUTONOMY": "suggest"}).at_most("act")
        'suggest'
        """
        return min(level, self.autonomy, key=LEVELS.index)


def read_settings(
    folder: Path | str,
    *,
    stage: str | None = None,
    house: Path | str | None = None,
    lake: str | None = None,
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
    stages = [name for name, table in tables.items() if name not in _KEYS and isinstance(table, dict) and not _near(name, _KEYS)]
    chosen = stage or env.get("EVERLOOP_STAGE") or None
    for name in stages:
        over = _checked(tables[name], mistakes, f"{name}.")
        values = _over(values, over) if name == chosen else values
    said = {"house": house, "lake": lake, "registry": registry, "events": events, "autonomy": autonomy}
    for key, flag in said.items():
        value = flag if flag is not None else env.get(f"EVERLOOP_{key.upper()}") or None
        if value is not None:
            values |= _checked({key: str(value)}, mistakes, where=f"--{key}" if flag is not None else f"EVERLOOP_{key.upper()}")
    if mistakes:
        raise SettingsError(f"{len(mistakes)} mistake{'s' * (len(mistakes) > 1)} in the settings.\n  " + "\n  ".join(mistakes))
    if chosen is not None and chosen not in stages:
        raise Unknown("stage", chosen, sorted(stages), where=FILE, next=f"Write a table [{chosen}] into {root / FILE}.")
    return _settled(root, chosen, values, env)


def span(text: str) -> timedelta:
    """A span as settings and flags say it: ``0``, ``90s``, ``10m``, ``6h``, ``2d``; never below zero.

    >>> span("90s"), span("0")
    (datetime.timedelta(seconds=90), datetime.timedelta(0))

    Raises SettingsError for anything else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])|0", text.strip())
    try:
        if match:
            return timedelta(**{_UNITS[match[2]]: float(match[1])}) if match[1] else timedelta(0)
    except OverflowError:
        pass
    raise SettingsError(f"{text!r} is no span. Say 0, 90s, 10m, 6h or 2d.")


# -- what may be said --------------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text")
    return value


def _redis(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    if not isinstance(value, str) or not re.match(r"(rediss?|valkeys?|unix)://.|\$\{\w+\}", value.strip()):
        raise SettingsError('say "redis://host:6379/0", rediss:// where it speaks TLS, or unix:///path/of/its/socket.')
    return value.strip()


def _http(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    if not isinstance(value, str) or not re.match(r"https?://.|\$\{\w+\}", value.strip()):
        raise SettingsError('say "http://host:5000", the address of a tracking server.')
    return value.strip()


def _site(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    if not isinstance(value, str) or not re.match(r"https?://.|\$\{\w+\}", value.strip()):
        raise SettingsError('say where it is asked, such as "http://127.0.0.1:8321".')
    return value.strip().rstrip("/")


def _shop(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(SHOP, value):
        raise ValueError('must be the shop\'s permanent domain, such as "beans.myshopify.com"')
    return value.lower()


def _api_version(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"20\d\d-(01|04|07|10)", value):
        raise ValueError('must be a version of the Admin API, such as "2026-10"')
    return value


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError('must be a currency, such as "EUR"')
    return value


def _streams(value: Any) -> dict[str, Any]:
    rules: dict[str, Checker] = {"url": _stream, "subject": _subject, "publish": _yes_or_no, "consume": _yes_or_no}
    if not isinstance(value, dict) or "url" not in value or (unknown := sorted(value.keys() - rules.keys())):
        near = "" if not isinstance(value, dict) or "url" not in value else f"; there is no {unknown[0]}{_near(unknown[0], rules)}"
        raise SettingsError(f'say url = "nats://127.0.0.1:4222", and subject, publish and consume if you like{near}.')
    return {key: rules[key](inner) for key, inner in value.items()}


def _stream(value: Any) -> str:
    # What was said is not repeated: it may hold a password.
    if not isinstance(value, str) or not re.match(r"(nats|tls|kafka)://.|\$\{\w+\}", value.strip()):
        raise SettingsError('say "nats://127.0.0.1:4222", or kafka:// and where it is.')
    return value.strip()


def _subject(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", value):
        raise ValueError("must be letters, digits, _ and -")
    return value


def _level(value: Any) -> Level:
    if value not in LEVELS:
        raise ValueError("must be observe, suggest or act")
    return cast(Level, value)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a whole number above 0")
    return value


def _one_of(*words: str) -> Checker:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be {' or '.join(words)}")
        return str(value)

    return check


def _price(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("must be a number, 0 or more")
    return float(value)


def _span(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise ValueError('must be a span in quotes such as "6h" or "2d"')
    return span(value)


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a share, 0 to 1")
    return float(value)


def _files(value: Any) -> SourceFiles:
    table = value if isinstance(value, dict) else {"files": value}
    for key in table:
        if key not in ("files", "known_after"):
            raise ValueError(f"knows no {key!r}{_near(key, ('files', 'known_after'))}")
    files = table.get("files")
    files = [files] if isinstance(files, str) else files
    if not isinstance(files, list) or not files or not all(isinstance(f, str) and f.strip() for f in files):
        raise ValueError('must be a file, a list of files, or { files = …, known_after = "0" }')
    after = table.get("known_after")
    if after is not None and not isinstance(after, str):
        raise ValueError('known_after must be a span in quotes, such as "0" or "1h"')
    return SourceFiles(tuple(files), None if after is None else span(after))


def _person(value: Any) -> tuple[Address, ...]:
    found = []
    for item in value if isinstance(value, list) else [value]:
        table = item if isinstance(item, dict) else {"to": item}
        to, least = table.get("to"), table.get("from", "info")
        # What was said is not repeated: it may hold a token.
        if not isinstance(to, str) or not to.strip() or not table.keys() <= {"to", "from"}:
            raise SettingsError('say "slack://…", a list of such texts, or { to = "slack://…", from = "warning" }.')
        if least not in SEVERITIES:
            raise SettingsError("from must be info, warning or critical.")
        found.append(Address(to, cast(Severity, least)))
    if not found:
        raise SettingsError("an empty list reaches nobody. Name an address, or take the line out.")
    return tuple(found)


_KEYS: dict[str, Checker | dict[str, Checker]] = {
    "house": _text,
    "lake": _text,
    "registry": _text,
    "events": _text,
    "autonomy": _level,
    "artefacts": {"pickle": _yes_or_no},
    "training": {"max_questions": _count, "child": _yes_or_no},
    "sources": {"*": _files},
    "people": {"*": _person},
    "serving": {
        "host": _text,
        "port": _count,
        "workers": _count,
        "durability": _one_of("process", "group", "sync"),
        "when_full": _one_of("shed", "drop"),
        "largest_body": _count,
        "traces": _yes_or_no,
        "server": _one_of("uvicorn", "granian"),
        "drain": _price,
    },
    "prices": {"*": _price},
    "governor": {
        "cooldown": _span,
        "runs_a_day": _count,
        "runs_a_week": _count,
        "money_a_day": _price,
        "money_a_week": _price,
        "fresh_truths": _count,
        "failures": _count,
    },
    "online": {"url": _redis},
    "skew": {"share": _share},
    "signing": {"key": _text, "private_key": _text, "password": _text},
    "mlflow": {"url": _http},
    "shopify": {
        "shop": _shop,
        "client_id": _text,
        "secret": _text,
        "old_secret": _text,
        "api_version": _api_version,
        "admin": _site,
        "host": _text,
        "port": _count,
        "house": _site,
        "key": _text,
        "poll": _span,
        "recommends": _text,
        "forecasts": _text,
        "within": _span,
        "settles": _span,
        "currency": _currency,
        "envelopes": _text,
        "streams": _streams,
    },
}


def _checked(table: Mapping[str, Any], mistakes: list[str], prefix: str = "", *, where: str = "") -> dict[str, Any]:
    """The values of one table that are right; what is wrong with the others goes into ``mistakes``."""
    right: dict[str, Any] = {}
    for key, value in table.items():
        rule = _KEYS.get(key)
        name = where or f"{FILE}: {prefix}{key}"
        if rule is None:
            stage = isinstance(value, dict) and not prefix
            if not stage or _near(key, _KEYS):
                mistakes.append(f"{FILE}: there is no setting {prefix}{key}{_near(key, _KEYS)}.")
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
            mistakes.append(f"{FILE}: there is no setting {name.removeprefix(FILE + ': ')}.{key}{_near(key, rules)}.")
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


def _near(word: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.75)
    return f"; did you mean {match[0]}?" if match else ""


def _mistyped(env: Mapping[str, str]) -> None:
    for name in env:
        if name.startswith("EVERLOOP_") and name not in ENVIRONMENT and (near := _near(name, ENVIRONMENT)):
            raise SettingsError(f"The environment variable {name} means nothing{near}")


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
        "lake": _url(_filled(values.get("lake", str(house / "lake")), env, "lake"), root),
        "registry": _url(_filled(values.get("registry", f"sqlite:///{house / 'house.db'}"), env, "registry"), root),
        "events": _url(_filled(values.get("events", f"sqlite:///{house / 'events.db'}"), env, "events"), root),
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
        online=None if online is None else _filled(online, env, "online.url"),
        autonomy=values.get("autonomy", "act"),
        pickle=values.get("artefacts", {}).get("pickle", False),
        max_questions=training.get("max_questions", 1_000_000),
        child=training.get("child", True),
        sources=sources,
        people={name: _reached(said, env, f"people.{name}") for name, said in values.get("people", {}).items()},
        prices=values.get("prices", {}),
        governor=_governor(values.get("governor", {}), values.get("prices", {})),
        signing=_signing(values.get("signing", {}), root, env),
        mlflow=None if mlflow is None else _filled(mlflow, env, "mlflow.url"),
        shopify=_shopify(values["shopify"], values.get("serving", {}), env) if "shopify" in values else None,
        serving=Serving(**values.get("serving", {})),
        skew=values.get("skew", {}).get("share", 0.01),
    )


def _governor(said: Mapping[str, Any], prices: Mapping[str, float]) -> Governor:
    for name in ("money_a_day", "money_a_week"):
        if name in said and not any(prices.values()):
            raise SettingsError(f"{FILE}: governor.{name} is a limit on nothing: nothing has a price. Say one: [prices] cpu_hour = 0.05")
    return Governor(**said)


def _signing(said: Mapping[str, Any], root: Path, env: Mapping[str, str]) -> Signing:
    if "password" in said and "private_key" not in said:
        raise SettingsError(f"{FILE}: signing.password opens nothing: there is no signing.private_key.")
    paths = {name: root / Path(said[name]).expanduser() for name in ("key", "private_key") if name in said}
    return Signing(**paths, password=_filled(said["password"], env, "signing.password") if "password" in said else None)


def _shopify(said: Mapping[str, Any], serving: Mapping[str, Any], env: Mapping[str, str]) -> Shopify:
    lacking = [name for name in ("shop", "client_id", "secret") if name not in said]
    if lacking:
        cure = 'Secrets come from the environment: secret = "${SHOPIFY_SECRET}"'
        raise SettingsError(f"{FILE}: [shopify] lacks {' and '.join(lacking)}. {cure}")
    filled: dict[str, Any] = {
        name: _filled(value, env, f"shopify.{name}") if isinstance(value, str) else value for name, value in said.items()
    }
    here = f"http://{serving.get('host', '127.0.0.1')}:{serving.get('port', 8321)}"
    if "streams" in said:
        filled["streams"] = Streams(**{**said["streams"], "url": _filled(said["streams"]["url"], env, "shopify.streams.url")})
    return Shopify(**{"admin": f"https://{said['shop']}", "house": here, **filled})


def _filled(text: str, env: Mapping[str, str], name: str) -> str:
    """``${TOKEN}`` replaced by what the environment says: secrets stay out of the file."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in env:
            raise SettingsError(f"{FILE}: {name} needs the environment variable {match[1]}, which is not set.")
        return env[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, text)


def _reached(said: tuple[Address, ...], env: Mapping[str, str], name: str) -> tuple[Address, ...]:
    """A person's addresses; one text may hold several, with spaces or commas between them."""
    several = ((a, re.split(r"[\s,]+(?=[\w.+-]+://)", _filled(a.to, env, name).strip(" \t\r\n,"))) for a in said)
    return tuple(dict.fromkeys(Address(to, a.least) for a, found in several for to in found))


def _url(text: str, root: Path) -> str:
    """A folder or a SQLite file made absolute; every other URL as it is."""
    if text.startswith("sqlite:///"):
        file = text.removeprefix("sqlite:///")
        return text if file in ("", ":memory:") else f"sqlite:///{root / Path(file).expanduser()}"
    return text if "://" in text else str(root / Path(text).expanduser())
