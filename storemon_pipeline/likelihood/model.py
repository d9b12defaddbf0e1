"""The status model as data: parameters of a fleet and of its stores, written down and read again.

How they are fitted is in `fit`; what they make of a report's windows is in `ranges`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.likelihood.doubts import Doubt
from storemon_pipeline.likelihood.gaps import Kind
from storemon_pipeline.likelihood.tables import COLUMNS, NODES

MILLION: Final = 1_000_000

RECIPE: Final = 1
"""The number of the recipe. It grows when parameters fitted before would give other ranges."""

FLEET: Final = 0
"""The class of a store whose polls do not distinguish it from the fleet."""


@dataclass(frozen=True, slots=True)
class StatusModel:
    """Parameters of a fleet, all that ranges need beside those of its stores.

    `tables` has shape `(classes, kinds, nodes, COLUMNS)`, in millionths; see `tabulate`.
    `gap_factor` is how much longer a gap is in which an instant lies than the mean gap. `widening`
    multiplies standard deviations. `weights` says how common each chain of the grid is.
    """

    tables: IntArray
    weights: FloatArray
    gap_factor: float
    widening: float

    def shares(self) -> npt.NDArray[np.float32]:
        """The tables as shares."""
        return self.tables.astype(np.float32) / np.float32(MILLION)

    def to_dict(self) -> dict[str, Any]:
        """The model as lists and numbers for JSON, from which `from_dict` makes the same again."""
        return {
            "tables": self.tables.tolist(),
            "weights": self.weights.tolist(),
            "gap_factor": self.gap_factor,
            "widening": self.widening,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The model that `to_dict` wrote; raises ValueError when it is of another shape."""
        tables = np.array(content["tables"], np.int64)
        if tables.shape[1:] != (len(Kind), len(NODES), COLUMNS):
            raise ValueError(
                f"a model's tables have the shape {tables.shape}, which no longer fits"
            )
        return cls(
            tables,
            np.array(content["weights"], np.float64),
            float(content["gap_factor"]),
            float(content["widening"]),
        )


@dataclass(frozen=True, slots=True)
class StoreParameters:
    """Of each store `0 .. n - 1` its class in the model's tables and the doubts; shape `(n,)`."""

    of_class: IntArray
    doubt: IntArray

    @classmethod
    def unknown(cls, stores: int) -> Self:
        """Parameters of stores that the fit had not seen."""
        return cls(np.full(stores, FLEET), np.full(stores, int(Doubt.FEW_POLLS)))


def joined(
    parts: Sequence[tuple[StatusModel, StoreParameters]],
) -> tuple[StatusModel, StoreParameters]:
    """One model of the stores of several ones, which follow each other; each keeps its classes.

    Stores that no fit has seen get the fleet of the first one.
    """
    models = [model for model, _ in parts]
    first_class = np.cumsum([0, *(len(model.tables) for model in models[:-1])])
    model = StatusModel(
        np.concatenate([model.tables for model in models]),
        np.mean([model.weights for model in models], axis=0),
        float(np.mean([model.gap_factor for model in models])),
        float(np.mean([model.widening for model in models])),
    )
    return model, StoreParameters(
        np.concatenate(
            [own.of_class + first for (_, own), first in zip(parts, first_class, strict=True)]
        ),
        np.concatenate([own.doubt for _, own in parts]),
    )
