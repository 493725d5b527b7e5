"""The ways round of docs/works-with.md: what other tools keep comes in by the doors there are, told as those tools tell it.

AWS is moto's server over HTTP, asked by boto3 and by the libraries that read objects here.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everloop import Model, Source, days, every
from everloop.connect.objects import opened
from everloop.lake import read_source
from everloop.lake.receive import receive
from everloop.loop.arrivals import ingest_files
from everloop.loop.house import open_house
from everloop.loop.project_file import project_of
from everloop.settings import read_settings
from everloop.testing.s3_server import SURROUNDINGS, s3_server

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
stock = Source(
    "stock",
    id=["product_id", "event_time"],
    time="event_time",
    known="write_time",
    deleted="is_deleted",
    columns={"product_id": str, "on_hand": int},
)


@pytest.fixture(scope="module")
def aws():
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**SURROUNDINGS, "AWS_DEFAULT_REGION": "eu-central-1"}.items():
            patched.setenv(name, value)
        with s3_server() as server:
            yield server


class Mean:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return [0.0] * len(X)


def house_of(folder, aws, files, source=stock, column="on_hand"):
    """A house whose one model reads the source, which comes from these files."""
    total = source.total(column, next=days(1))
    week = source.total(column, last=days(7))
    model = Model("demand", predicts=total, per="product_id", asked=every(days(1)), knows=week, learner=Mean())
    text = f'[sources]\n{source.name} = "{files}"\n[storage]\nendpoint = "{aws.endpoint}"\nallow_http = true\nregion = "eu-central-1"\n'
    (folder / "everloop.toml").write_text(text)
    return open_house(project_of(model), settings=read_settings(folder, house=folder / "house"))


def put(house, url, table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    system, path = opened(url, house.settings.storage)
    with system.open_output_stream(path) as out:
        out.write(sink.getvalue())


def written(rows):
    """Rows as SageMaker's Feature Store writes them: the features, then its own three columns."""
    return pa.table(
        {
            "product_id": [row[0] for row in rows],
            "on_hand": pa.array([row[1] for row in rows], pa.int64()),
            "event_time": [row[2] for row in rows],
            "write_time": pa.array([row[3] for row in rows], pa.timestamp("ms", "UTC")),
            "api_invocation_time": pa.array([row[3] for row in rows], pa.timestamp("ms", "UTC")),
            "is_deleted": [row[4] for row in rows],
        }
    )


def test_the_offline_store_of_sagemakers_feature_store_is_a_source_that_knows_when_each_row_was_written(tmp_path, aws):
    """Its layout and its three columns are those of its developer guide, "offline store data format"."""
    aws.bucket("features")
    place = "s3://features/shop/123456789012/sagemaker/eu-central-1/offline-store/stock-1780000000/data"
    house = house_of(tmp_path, aws, f"{place}/**/*.parquet")
    first, later = NOW - 30 * HOUR, NOW - 5 * HOUR
    rows = [("p1", 7, "2026-11-01T06:00:00Z", first, False), ("p2", 3, "2026-11-01T06:00:00Z", first, False)]
    put(house, f"{place}/year=2026/month=11/day=01/hour=06/20261101T060000Z_1a.parquet", written(rows))
    gone = [("p2", None, "2026-11-01T06:00:00Z", later, True), ("p1", 5, "2026-11-02T06:00:00Z", later, False)]
    put(house, f"{place}/year=2026/month=11/day=02/hour=06/20261102T060000Z_2b.parquet", written(gone))
    taken = [(one.kept, one.duplicates, one.refused) for one in ingest_files(house, None, [], now=NOW)]
    assert sum(kept for kept, _, _ in taken) == 4
    assert sum(refused for _, _, refused in taken) == 0
    table = read_source(house.lake, stock)
    known = set(table.column("known_at").to_pylist())
    assert len(known) == 2, "what was written later was not known before"
    assert sum(one.kept for one in ingest_files(house, None, [], now=NOW)) == 0, "a second look takes nothing twice"


def test_a_table_of_glue_in_partitions_is_a_source(tmp_path, aws):
    aws.bucket("glue")
    house = house_of(tmp_path, aws, "s3://glue/stock/**/*.parquet")
    put(house, "s3://glue/stock/day=1/a.parquet", written([("p1", 7, "2026-11-01T06:00:00Z", NOW - HOUR, False)]))
    assert [one.kept for one in ingest_files(house, None, [], now=NOW)] == [1]


def test_items_of_dynamodb_are_rows_and_come_in_once(tmp_path, aws):
    db = boto3.resource("dynamodb", endpoint_url=aws.endpoint)
    keys = [{"AttributeName": "line_id", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "line_id", "AttributeType": "S"}]
    table = db.create_table(TableName="orders", KeySchema=keys, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
    for number in range(3):
        table.put_item(Item={"line_id": f"l{number}", "at": "2026-11-01T00:00:00Z", "product_id": "p1", "quantity": number})
    orders = Source("orders", id="line_id", time="at", columns={"product_id": str, "quantity": int})
    house = house_of(tmp_path, aws, "s3://nothing/*.csv", orders, "quantity")
    rows = [item | {"quantity": int(item["quantity"])} for item in table.scan()["Items"]]
    assert [receive(house.lake, orders, rows, now=NOW).kept for _ in range(2)] == [3, 0]


def test_the_template_that_the_page_shows_makes_an_endpoint(aws):
    page = (Path(__file__).parents[2] / "docs" / "works-with.md").read_text(encoding="utf-8")
    (template,) = re.findall(r"^```yaml\n(AWSTemplateFormatVersion.*?)^```$", page, re.MULTILINE | re.DOTALL)
    told = {"Image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:00", "Role": "arn:aws:iam::123456789012:role/sagemaker"}
    formation = boto3.client("cloudformation", endpoint_url=aws.endpoint)
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in told.items()]
    formation.create_stack(StackName="shop", TemplateBody=template, Parameters=parameters)
    made = boto3.client("sagemaker", endpoint_url=aws.endpoint)
    [endpoint] = made.list_endpoints()["Endpoints"]  # moto names each by the stack
    config = made.describe_endpoint(EndpointName=endpoint["EndpointName"])["EndpointConfigName"]
    [variant] = made.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    assert made.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]["Image"] == told["Image"]
