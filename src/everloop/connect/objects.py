"""Object storage by URL: ``s3://bucket/path``, ``gs://bucket/path`` and ``az://container/path``. In: a URL, and how it is reached. Out: a
file system of pyarrow, and the same said to the Delta library.

Who asks is found out by each cloud's own library, from its own variables, files and machines. Another server that speaks S3 is told by
``[storage]`` in everloop.toml. Opening asks nothing of anybody: only what is done afterwards does.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from everloop.errors import SettingsError
from everloop.settings import Storage

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

NO_STORAGE: Final = Storage()
SCHEMES: Final = ("s3", "gs", "az")
#: Seconds until a server that is not there is given up, and how often a request is made again meanwhile.
PATIENCE: Final = 30
TRIES: Final = 5
#: What servers that are not a cloud's own are told where no region is said.
NOWHERE: Final = "us-east-1"


def is_url(place: str) -> bool:
    """Whether a place is a URL of object storage, no folder of this machine.

    >>> is_url("s3://shop/lake"), is_url("/shop/lake")
    (True, False)
    """
    return "://" in place


def without_secret(where: str) -> str:
    """A URL without the user and the password in it.

    >>> without_secret("s3://KEY:SECRET@bucket/backups?region=eu"), without_secret("/tmp/a@b")
    ('s3://bucket/backups?region=eu', '/tmp/a@b')
    """
    if not is_url(where):
        return where
    scheme, rest = where.split("://", 1)
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def opened(url: str, storage: Storage) -> tuple[FileSystem, str]:
    """The file system of a URL, and the path it says there. Raises SettingsError for a URL of nothing we know, or Azure's without account.

    >>> opened("s3://shop/lake", Storage(endpoint="http://127.0.0.1:9000", allow_http=True))[1]
    'shop/lake'
    """
    scheme, path = _parts(url)
    return _file_system(scheme, storage), path


def delta_options(url: str, storage: Storage) -> dict[str, str]:
    """What the Delta library is told of a URL (its ``storage_options``); nothing for a folder.

    >>> delta_options("/shop/lake", Storage())
    {}
    >>> delta_options("s3://shop/lake", Storage(region="eu-central-1"))["aws_region"]
    'eu-central-1'
    """
    if not is_url(url):
        return {}
    scheme, _ = _parts(url)
    said = {"retry_timeout": f"{PATIENCE}s", "max_retries": str(TRIES), "connect_timeout": "5s"}
    if storage.endpoint is not None and storage.endpoint.startswith("http://"):
        said["allow_http"] = "true"
    of = {"s3": _of_s3, "gs": _of_google, "az": _of_azure}[scheme](storage)
    return said | {name: value for name, value in of.items() if value is not None}


def _of_s3(storage: Storage) -> dict[str, str | None]:
    return {"aws_region": _region(storage), "aws_endpoint_url": storage.endpoint}


def _of_google(storage: Storage) -> dict[str, str | None]:
    return {"google_base_url": storage.endpoint}


def _of_azure(storage: Storage) -> dict[str, str | None]:
    account = _account(storage)
    endpoint = None if storage.endpoint is None else f"{storage.endpoint}/{account}"
    return {
        "azure_storage_account_name": account, "azure_storage_account_key": storage.key, "azure_storage_sas_token": storage.token,
        "azure_storage_endpoint": endpoint,
    }  # fmt: skip


@lru_cache
def _file_system(scheme: str, storage: Storage) -> FileSystem:
    from pyarrow import fs

    where = urlsplit(storage.endpoint) if storage.endpoint is not None else None
    if scheme == "s3":
        return fs.S3FileSystem(
            region=_region(storage), endpoint_override=where.netloc if where else None, scheme=where.scheme if where else None,
            connect_timeout=5, request_timeout=PATIENCE, retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=TRIES),
        )  # fmt: skip
    if scheme == "gs":
        return fs.GcsFileSystem(
            endpoint_override=where.netloc if where else None, scheme=where.scheme if where else None,
            retry_time_limit=timedelta(seconds=PATIENCE),
        )  # fmt: skip
    netloc, asked_by = (where.netloc, where.scheme) if where else (None, None)
    return fs.AzureFileSystem(
        _account(storage), account_key=storage.key, sas_token=storage.token, blob_storage_authority=netloc, blob_storage_scheme=asked_by,
        dfs_storage_authority=netloc, dfs_storage_scheme=asked_by,
    )  # fmt: skip


def _parts(url: str) -> tuple[str, str]:
    scheme, _, path = url.partition("://")
    if scheme not in SCHEMES or not path:
        raise SettingsError(
            f'{without_secret(url)} is no object storage. Say "s3://bucket/path", "gs://bucket/path" or "az://container/path".'
        )
    return scheme, path.strip("/")


def _region(storage: Storage) -> str | None:
    return storage.region or (NOWHERE if storage.endpoint is not None else None)


def _account(storage: Storage) -> str:
    if storage.account is None:
        raise SettingsError("An az:// URL needs its storage account. Say [storage] account = …, or set AZURE_STORAGE_ACCOUNT_NAME.")
    return storage.account
