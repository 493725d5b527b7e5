"""What settings say, as frozen records: one house, and what it may do. Nothing here reads anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from everloop.errors import SettingsError

FILE = "everloop.toml"
Level: TypeAlias = Literal["observe", "suggest", "act"]
LEVELS: tuple[Level, ...] = ("observe", "suggest", "act")
Durability: TypeAlias = Literal["process", "group", "sync"]
WhenFull: TypeAlias = Literal["shed", "drop"]
Server: TypeAlias = Literal["uvicorn", "granian"]
LogForm: TypeAlias = Literal["text", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
Place: TypeAlias = Literal["champion", "candidate"]
ALIASES: Mapping[str, Place] = {"champion": "champion", "candidate": "candidate", "production": "champion", "staging": "candidate"}
"""What a house calls who answers in it, unless it says so itself; the last two are stages as MLflow once had them."""


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
    """Are requests and turns traces for OpenTelemetry?"""
    server: Server = "uvicorn"
    """What reads HTTP in each worker; granian is an extra."""
    drain: float = 0.0
    """Seconds a worker that was told to end goes on answering, not ready any more, so that a load balancer sends it nobody."""


@dataclass(frozen=True, kw_only=True)
class Logs:
    """What the processes of a house write to their standard output and error."""

    form: LogForm = "text"
    """``text`` for people; ``json``: each line is one object, with ids, for who collects logs."""
    level: LogLevel = "warning"
    """What is less urgent is left out. What a house tells of what it does is always said."""
    requests: bool = False
    """Is there a line for each request?"""


@dataclass(frozen=True, kw_only=True)
class Console:
    """How people reach the console and stay signed in there."""

    on: bool = True
    """Does whoever answers over HTTP have it, at /console?"""
    url: str | None = None
    """Where people reach the house, such as ``https://ml.shop.example``, where that is not where it listens."""
    idle: timedelta = timedelta(hours=8)
    """How long a session may be unused."""
    longest: timedelta = timedelta(days=7)
    """How long a session lasts, whatever happens."""
    oidc: str | None = None
    """The issuer of an OpenID provider that people may sign in by; None: by password only."""
    oidc_client: str = ""
    oidc_secret: str = field(default="", repr=False)
    oidc_claim: str = "email"
    """What of the provider's word is the person's name here: an ``email``, where the provider says that it is verified, or the ``sub``."""


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
class Workers:
    """How the processes that work for a house share what there is to do."""

    beside: int = 2
    """So many errands, of as many models, one process carries out beside each other."""
    heavy: int | None = None
    """So many turns at most are under way in the whole house, whoever carries them out; None: as many as there are processes for."""
    kept: timedelta = timedelta(days=30)
    """How long after its end an errand is still known; the latest of its kind always is."""


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
class Executor:
    """Where work of many pieces is done: trials of settings, many models, profiles, training sets, batches of answers."""

    url: str | None = field(default=None, repr=False)
    """``processes`` of this machine, ``ray``, ``ray://…``, ``dask://…``; None: one piece after another."""
    address: str | None = field(default=None, repr=False)
    """The cluster that ``RAY_ADDRESS`` names, where ``url`` is ``ray`` alone; None: one of its own on this machine."""
    workers: int | None = None
    """At most so many pieces at once; None: as many as there are cores."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream of NATS JetStream or Kafka: where a source's rows come from, or where answers are put."""

    url: str = field(repr=False)
    subject: str
    """The subject there, or the topic; what cannot be read goes to the same with ``.dead`` behind it."""
    source: str | None = None
    """The source whose rows its messages are."""
    answers: str | None = None
    """The model whose answers are put there, or ``*``: every model's."""


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
    newcomers: int = 600
    """How many browsers nobody has heard of are answered a minute: anybody can make some. The others see the list worked out beforehand."""
    envelopes: str | None = field(default=None, repr=False)
    """The key shown with what comes by EventBridge, Pub/Sub or SQS; None: nothing comes that way."""
    streams: Streams | None = None
    """The stream deliveries are published to, or come from; None: there is none."""


@dataclass(frozen=True, kw_only=True)
class Pipelines:
    """How somebody else's scheduler runs the steps: ``everloop export airflow`` and its like write it down."""

    every: timedelta | None = None
    """From one run to the next; None: as often as the models say."""
    at: str | None = None
    zone: str | None = None
    retries: int = 2
    """How often a step is tried again that could not be done; a record that says no is an answer."""
    retry_after: timedelta = timedelta(minutes=5)
    refused: float = 0.0
    """The share of a source's rows that may be refused before a run ends at taking in."""
    timeout: timedelta | None = None
    """Of one try; None: two hours, or the time to the next run where that is shorter."""
    arrives: Mapping[str, str] = field(default_factory=dict)
    """By source: the object whose arrival says that its rows are complete; ``{day}`` in it is the day the run is about."""
    image: str | None = None
    """The image steps run in, where they run in one."""
    pods: tuple[str, ...] = ()
    """The steps that get a pod of their own."""
    folder: str | None = None
    """Where the project lies on the machines that run the steps; None: where it lies here."""
    shared: str | None = None
    """The house folder, where every machine that runs a step has it mounted."""
    runner: str = "ubuntu-latest"
    """The machines of GitHub that run what is done in the house, by their label."""
    tags: tuple[str, ...] = ()
    """The runners of GitLab that do, by their tags."""
    deploy: str | None = None
    """The stage that a version goes to once it was let in here."""
    backup: str | None = None
    """The place of backups from which a pull request has its champion."""


@dataclass(frozen=True, kw_only=True)
class Storage:
    """How object storage is reached where its URL does not say it all. Who asks is told to each cloud's own library by its own variables
    and files; of Azure's, which not every library reads, account and key are taken from the environment here."""

    endpoint: str | None = None
    """A server other than the cloud's own, such as ``http://127.0.0.1:9000``."""
    region: str | None = None
    allow_http: bool = False
    """May an endpoint be asked without TLS?"""
    account: str | None = None
    """The storage account of Azure."""
    key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    """A shared access signature, in the place of the account's key."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where one house is and what it may do. URLs may hold secrets, so they are not in the repr."""

    folder: Path
    """The folder relative paths start from: where everloop.toml is."""
    stage: str | None = None
    house: Path
    """The house folder: house.db, events.db, lake/, answers/, blobs/ unless said otherwise."""
    lake: str = field(repr=False)
    blobs: str = field(repr=False)
    """Where bodies are kept by their SHA-256: a folder, or a URL of object storage."""
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
    streams: Mapping[str, Stream] = field(default_factory=dict)
    """Streams by name, each the origin of a source's rows or where answers are put."""
    people: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    """Who an ``owner=`` is; ``everybody`` is told what has no owner, or one who is not here."""
    prices: Mapping[str, float] = field(default_factory=dict)
    governor: Governor = Governor()
    executor: Executor = Executor()
    workers: Workers = Workers()
    signing: Signing = Signing()
    mlflow: str | None = field(default=None, repr=False)
    """A tracking server of MLflow that everything is mirrored to; None: to none."""
    aliases: Mapping[str, Place] = field(default_factory=lambda: dict(ALIASES))
    """Further names of the champion and of the candidate of a model: in the terminal (``demand@production``), and in MLflow."""
    shopify: Shopify | None = None
    """The shop this house works for; None: for none."""
    serving: Serving = Serving()
    storage: Storage = Storage()
    logs: Logs = Logs()
    pipeline: Pipelines = Pipelines()
    image: str | None = None
    """The image this process runs in, with its digest, as far as the environment says so."""
    run: str | None = None
    """The run of a scheduler or a CI that started it."""
    console: Console = Console()
    skew: float = 0.01
    """The share of units whose answers are read again each day, to see whether they were made from what the event log tells."""

    @property
    def ran_by(self) -> tuple[tuple[str, str], ...]:
        """The image and the run, as they stand in a candidate's lineage; what is not known is left out."""
        return tuple((name, told) for name, told in (("image", self.image), ("run", self.run)) if told)

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

        >>> from everloop.settings import read_settings
        >>> read_settings("/nowhere", environ={"EVERLOOP_AUTONOMY": "suggest"}).at_most("act")
        'suggest'
        """
        return min(level, self.autonomy, key=LEVELS.index)
