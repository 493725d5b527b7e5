"""Object storage by URL: one way to say it, for three clouds. Of gs:// and az:// no server is asked: what they are told is looked at."""

from __future__ import annotations

import pytest

from everloop.connect.objects import delta_options, opened
from everloop.errors import SettingsError, StoreError
from everloop.lake.trouble import told
from everloop.settings import Storage, read_settings

AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "shop", "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0", "AZURE_STORAGE_SAS_TOKEN": ""}


def settings(tmp_path, text="", **environ):
    (tmp_path / "everloop.toml").write_text(text)
    return read_settings(tmp_path, environ=environ)


def test_lake_and_bodies_are_where_their_urls_say(tmp_path):
    found = settings(tmp_path, 'lake = "s3://shop/lake"\nblobs = "s3://shop/blobs/"', EVERLOOP_LAKE="gs://other/lake")
    assert (found.lake, found.blobs) == ("gs://other/lake", "s3://shop/blobs")
    assert settings(tmp_path).blobs == str(tmp_path / ".everloop/blobs")
    assert settings(tmp_path, EVERLOOP_BLOBS="kept").blobs == str(tmp_path / "kept")


@pytest.mark.parametrize("said", ["ftp://shop/lake", "s3:///lake", "https://shop.s3.amazonaws.com/lake"])
def test_what_is_no_object_storage_is_refused_with_what_is(tmp_path, said):
    with pytest.raises(SettingsError, match=r"lake: say a folder, or .s3://bucket/path"):
        settings(tmp_path, f'lake = "{said}"')
    with pytest.raises(SettingsError):
        opened(said.replace("///", "//"), Storage()) if "s3" not in said[:3] else opened("s3://", Storage())


def test_an_endpoint_without_tls_has_to_be_allowed(tmp_path):
    text = '[storage]\nendpoint = "http://127.0.0.1:9000"\n'
    with pytest.raises(SettingsError, match="allow_http = true"):
        settings(tmp_path, text)
    assert settings(tmp_path, text + "allow_http = true").storage == Storage(endpoint="http://127.0.0.1:9000", allow_http=True)


def test_both_libraries_are_told_the_same_of_s3():
    storage = Storage(endpoint="http://127.0.0.1:9000", allow_http=True, region="eu-central-1")
    told = delta_options("s3://shop/lake", storage)
    assert (told["aws_endpoint_url"], told["aws_region"], told["allow_http"]) == ("http://127.0.0.1:9000", "eu-central-1", "true")
    system, path = opened("s3://shop/lake", storage)
    assert (system.type_name, system.region, path) == ("s3", "eu-central-1", "shop/lake")
    assert "allow_http" not in delta_options("s3://shop/lake", Storage())


def test_of_azure_the_account_and_its_key_are_told(tmp_path):
    storage = settings(tmp_path, **AZURE).storage
    told = delta_options("az://house/lake", storage)
    assert (told["azure_storage_account_name"], told["azure_storage_account_key"]) == ("shop", "c2VjcmV0")
    assert "azure_storage_sas_token" not in told
    system, path = opened("az://house/lake", storage)
    assert (system.type_name, path) == ("abfs", "house/lake")
    assert "c2VjcmV0" not in repr(storage)
    with pytest.raises(SettingsError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        opened("az://house/lake", Storage())


def test_google_is_asked_as_its_own_variables_say():
    told = delta_options("gs://shop/lake", Storage())
    assert not {name for name in told if name.startswith("google")}
    system, path = opened("gs://shop/lake", Storage())
    assert (system.type_name, path) == ("gcs", "shop/lake")


def test_the_delta_library_knows_every_word_it_is_told():
    """What it does not know it takes without a word, and the storage it asks is another one."""
    from deltalake import _internal

    with open(_internal.__file__, "rb") as file:
        words = file.read()
    storage = Storage(endpoint="https://127.0.0.1:9000", region="x", account="a", key="b", token="c")
    told = {name for url in ("s3://a/b", "gs://a/b", "az://a/b") for name in delta_options(url, storage)}
    assert [name for name in sorted(told) if name.encode() not in words] == []


def test_an_error_does_not_repeat_a_secret():
    with pytest.raises(SettingsError, match="s4://shop/lake is no object storage"):
        opened("s4://key:secret@shop/lake", Storage())


@pytest.mark.parametrize(
    ("where", "said", "cure"),
    [
        ("s3://shop/lake", "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 3s", "AWS_ACCESS_KEY_ID"),
        (
            "s3://shop/lake",
            "When reading information for key 'x': AWS Error ACCESS_DENIED during HeadObject",
            "AWS_SECRET_ACCESS",
        ),
        ("gs://shop/lake", "Could not create a OAuth2 access token: http://metadata.google.internal", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://shop/lake", "403 This request is not authorized. AuthenticationFailed", "AZURE_STORAGE_ACCOUNT_KEY"),
    ],
)
def test_who_is_not_let_in_is_told_what_to_set(where, said, cure):
    with pytest.raises(StoreError, match=cure) as refused, told(where):
        raise OSError(said)
    assert said[:40] in str(refused.value)
    with pytest.raises(StoreError) as other, told(where):
        raise OSError("connection refused")
    assert cure not in str(other.value)
