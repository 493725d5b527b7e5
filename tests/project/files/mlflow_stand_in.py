"""Stands in for a model registered in MLflow: it has a name, is said as it was written, and can predict."""

from dataclasses import dataclass


@dataclass(frozen=True)
class registered:  # noqa: N801
    name: str

    def __repr__(self) -> str:
        return f"registered({self.name!r})"

    def __str__(self) -> str:
        return f"{self.name} in MLflow"

    def predict(self, rows: list[object]) -> list[float]:
        return [0.5 for _ in rows]
