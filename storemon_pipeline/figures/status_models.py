"""The table `status_models`: versions of the status model with the parameters of each store."""

import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import sqlalchemy as sa

from storemon_pipeline.business_time.zones import RULES_RELEASE
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import status_models
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.likelihood.model import RECIPE, StatusModel, StoreParameters
from storemon_pipeline.polls.status_run_queries import read_polled_keys
from storemon_pipeline.stores.store_index import StoreIndex

KEPT_UNNAMED: Final = timedelta(days=7)
"""A version that no report names is kept for so long, while it is not the newest."""


class UnknownStatusModelError(Exception):
    """A report asks for a version of the status model that is not there; `str()` says why."""


@dataclass(frozen=True, slots=True)
class ModelFit:
    """A version of the status model, without its parameters."""

    status_model_id: int
    fitted_at: datetime
    as_of: datetime
    stores: int
    doubted_stores: int


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of the status model; `parameters` are those of the stores with `store_keys`.

    The keys ascend.
    """

    status_model_id: int
    model: StatusModel
    store_keys: IntArray
    parameters: StoreParameters

    def parameters_of(self, stores: StoreIndex) -> StoreParameters:
        """The parameters of stores by position; stores that the fit had not seen have none."""
        found = StoreParameters.unknown(len(stores))
        place = np.searchsorted(self.store_keys, stores.store_keys)
        is_known = place < len(self.store_keys)
        is_known[is_known] = self.store_keys[place[is_known]] == stores.store_keys[is_known]
        known, place = np.flatnonzero(is_known), place[is_known]
        found.of_class[known] = self.parameters.of_class[place]
        found.doubt[known] = self.parameters.doubt[place]
        return found


def write_status_model(
    bulk: Bulk,
    stores: StoreIndex,
    model: StatusModel,
    parameters: StoreParameters,
    *,
    polled: IntArray,
    as_of: datetime,
    fitted_at: datetime,
) -> ModelFit:
    """Add a version; `polled` are the positions of the stores that it was fitted to."""
    order = polled[np.argsort(stores.store_keys[polled])]
    fitted = StoreParameters(parameters.of_class[order], parameters.doubt[order])
    content = io.BytesIO()
    np.savez_compressed(
        content,
        tables=model.tables.astype(np.int32),
        weights=model.weights,
        gap_factor=np.float64(model.gap_factor),
        widening=np.float64(model.widening),
        store_keys=stores.store_keys[order].astype(np.int32),
        of_class=fitted.of_class.astype(np.int32),
        doubt=fitted.doubt.astype(np.int16),
    )
    doubted = int((fitted.doubt != 0).sum())
    status_model_id = bulk.scalar(
        """
        INSERT INTO status_models (fitted_at, as_of, recipe, stores, doubted_stores, parameters,
                                   zone_rules)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING status_model_id
        """,
        (fitted_at, as_of, RECIPE, len(order), doubted, content.getvalue(), RULES_RELEASE),
    )
    return ModelFit(int(status_model_id), fitted_at, as_of, len(order), doubted)


_CURRENT: Final = """
    SELECT max(status_model_id) AS status_model_id FROM status_models WHERE recipe = $1
"""


def read_newest_fit(bulk: Bulk) -> ModelFit | None:
    """The newest version that this release of storemon can compute with; None without one."""
    rows = bulk.fetch(
        f"""
        SELECT status_model_id, fitted_at, as_of, stores, doubted_stores FROM status_models
        WHERE status_model_id = ({_CURRENT})
        """,  # noqa: S608  (a constant of this module)
        (RECIPE,),
    ).to_pylist()
    return ModelFit(**rows[0]) if rows else None


def has_status_model(connection: sa.Connection, status_model_id: int) -> bool:
    """Whether this release of storemon can compute with the version of this id."""
    table = status_models.c
    known = sa.select(table.status_model_id).where(
        table.status_model_id == status_model_id, table.recipe == RECIPE
    )
    return connection.scalar(known) is not None


def read_status_model(bulk: Bulk, status_model_id: int | None = None) -> ModelVersion | None:
    """The version of this id, by default the newest; None while there is no version at all.

    Raises UnknownStatusModelError when the version that is asked for cannot be used.
    """
    if status_model_id is None:
        newest = read_newest_fit(bulk)
        if newest is None:
            return None
        status_model_id = newest.status_model_id
    return unpack_status_model(status_model_id, read_packed_model(bulk, status_model_id))


def unpack_status_model(status_model_id: int, packed: bytes) -> ModelVersion:
    """The version that `read_packed_model` gave."""
    return ModelVersion(status_model_id, *_unpack(packed))


def read_packed_model(bulk: Bulk, status_model_id: int) -> bytes:
    """The version of this id, packed. Raises UnknownStatusModelError when it cannot be used."""
    rows = bulk.fetch(
        "SELECT recipe, parameters FROM status_models WHERE status_model_id = $1",
        (status_model_id,),
    ).to_pylist()
    if not rows:
        raise UnknownStatusModelError(
            f"There is no version {status_model_id} of the status model, or no longer."
        )
    if rows[0]["recipe"] != RECIPE:
        raise UnknownStatusModelError(
            f"Version {status_model_id} of the status model was fitted by another release of "
            "storemon, which computed likely ranges in another way."
        )
    return bytes(rows[0]["parameters"])


@lru_cache(maxsize=2)
def _unpack(parameters: bytes) -> tuple[StatusModel, IntArray, StoreParameters]:
    """The fields of a version, kept for the next request: unpacking takes several milliseconds."""
    with np.load(io.BytesIO(parameters), allow_pickle=False) as content:
        return (
            StatusModel.from_dict(content),
            content["store_keys"].astype(np.int64),
            StoreParameters(
                content["of_class"].astype(np.int64), content["doubt"].astype(np.int64)
            ),
        )


@dataclass(frozen=True, slots=True)
class ModelState:
    """The newest version, and how many stores with polls in the look-back it does not know."""

    fit: ModelFit
    unknown_stores: int


def read_model_state(bulk: Bulk) -> ModelState | None:
    """The state of the newest version; None without one."""
    fit = read_newest_fit(bulk)
    version = None if fit is None else read_status_model(bulk, fit.status_model_id)
    if fit is None or version is None:
        return None
    polled = read_polled_keys(bulk)
    return ModelState(fit, int((~np.isin(polled, version.store_keys)).sum()))


def drop_unnamed_status_models(bulk: Bulk, *, now: datetime) -> int:
    """Delete versions that no report needs, fitted more than `KEPT_UNNAMED` ago; return how many.

    A report needs the version that it was made with, and one that it asks for.
    """
    return int(
        bulk.scalar(
            f"""
            WITH dropped AS (
                DELETE FROM status_models m
                WHERE fitted_at < $2 AND status_model_id <> ({_CURRENT})
                  AND NOT EXISTS (SELECT FROM reports r LEFT JOIN report_results o USING (result_id)
                                  WHERE o.status_model_id = m.status_model_id
                                     OR (r.state = 'waiting'
                                         AND r.requested_status_model_id = m.status_model_id))
                RETURNING 1
            )
            SELECT count(*) FROM dropped
            """,  # noqa: S608  (a constant of this module)
            (RECIPE, now - KEPT_UNNAMED),
        )
    )
