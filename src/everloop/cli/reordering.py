"""What to order of each product, from what the champion says of the time ahead; nothing here changes anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everloop.cli.opening import open_whole
from everloop.cli.options import HERE, At, Folder, Json, Name, Project, Stage
from everloop.cli.saying import instant_of, say, span_of
from everloop.errors import EverloopError

if TYPE_CHECKING:
    import pyarrow as pa


def reorder(
    model: Name,
    lead: Annotated[str, typer.Option("--lead", help="How long goods take from order to shelf, such as 7d.")],
    service: Annotated[float, typer.Option("--service", help="The chance that nothing runs out meanwhile, 0 to 1.")] = 0.9,
    review: Annotated[str, typer.Option("--review", help="How often somebody looks and orders, such as 7d.")] = "0",
    cover: Annotated[str, typer.Option("--cover", help="How much longer an order is to last, such as 14d.")] = "0",
    pack: Annotated[float, typer.Option("--pack", help="How many units come in one pack.")] = 1.0,
    minimum: Annotated[float, typer.Option("--minimum", help="The fewest units of one order.")] = 0.0,
    stock: Annotated[
        Path | None, typer.Option("--stock", help="What is there: CSV or Parquet with the unit, on_hand, and what else is known.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write every line into this CSV or Parquet file.")] = None,
    project: Project = HERE,
    house: Folder = None,
    stage: Stage = "",
    now: At = None,
    as_json: Json = False,
) -> None:
    """When to order what, and how much, from the quantiles the champion answers."""
    from everloop.loop.reorder import orders, spoken_orders
    from everloop.stats.stock import Supply

    supply = Supply(_days(lead), service, _days(review), _days(cover), pack, minimum)
    opened = open_whole(project, house, stage)
    wanted = opened.project.model(model)
    found = orders(opened, wanted, supply, instant_of(now), None if stock is None else _read(stock))
    if to is not None:
        from everloop.loop.reorder import as_table

        _write(as_table(found, wanted), to)
    say(found.data(), spoken_orders(found), as_json)


def _days(text: str) -> float:
    span = span_of(text)
    return 0.0 if span is None else span.total_seconds() / 86_400


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv
    from pyarrow import parquet as pq

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pq.ParquetFile(path).read()
        names = csv.open_csv(path).schema.names
        return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())))
    except (OSError, pa.ArrowException) as error:
        raise EverloopError(f"{path} cannot be read: {error}. Give a CSV or Parquet file with a row for each unit.") from error


def _write(table: pa.Table, path: Path) -> None:
    from pyarrow import csv
    from pyarrow import parquet as pq

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            pq.write_table(table, path)
        elif path.suffix.lower() == ".csv":
            csv.write_csv(table, path)
        else:
            raise EverloopError(f"{path} is neither Parquet nor CSV by its name. The file ends in .csv or .parquet.")
    except OSError as error:
        raise EverloopError(f"{path} cannot be written: {error}. Say another place with --to.") from error
