"""A month of a fleet as it arrives hour by hour, and the same month as one final delivery.

Of the polls 2 % come up to three days late, 1 % come twice, and 0.2 % are wrong at first and
corrected later. Three days before the end, or in the middle if that is later, new hours come for a
tenth of the stores; five closures are planned.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from storemon_pipeline.sample_data import write_sample_data

END: Final = datetime(2023, 11, 12, 6, 0, tzinfo=UTC)
"""A week after the clocks of North America went back, so that the change lies in the month."""

_LATE, _TWICE, _CORRECTED = 0.02, 0.01, 0.002
_LATEST_HOURS: Final = 72
_CHANGED_STORES: Final = 0.1

_CLOSURES: Final = """store_id,start_local,end_local,reason
*,2023-11-10 12:00,2023-11-10 15:30,inspection
{0},2023-11-05 00:30,2023-11-05 04:00,night of the clock change
{1},2023-11-08 00:00,,renovation
{2},2023-11-09 22:00,2023-11-11 06:00,power cut
{2},2023-11-11 02:00,2023-11-11 20:00,clean up
"""


@dataclass(frozen=True, slots=True)
class Month:
    """The rows of a month: `deliveries` in order of arrival, `final` as they stand at the end."""

    start: datetime
    hours: int
    deliveries: pd.DataFrame
    final: pd.DataFrame
    business_hours: pd.DataFrame
    new_hours: pd.DataFrame
    new_hours_at: datetime
    closures: str
    timezones: bytes

    def write_snapshots(self, data: Path) -> None:
        """The files of hours, zones and closures as they are when the month begins."""
        data.mkdir(parents=True, exist_ok=True)
        self.business_hours.to_csv(data / "business_hours.csv", index=False)
        (data / "timezones.csv").write_bytes(self.timezones)
        (data / "closures.csv").write_text(self.closures)

    def write_hour(self, data: Path, hour: int) -> None:
        """What arrives in this hour of the month: a part file of polls, and once new hours."""
        folder = data / "store_status"
        folder.mkdir(exist_ok=True)
        name = f"{self.start + timedelta(hours=hour):%Y-%m-%dT%H}.csv"
        rows = self.deliveries[self.deliveries["arrival"] == hour]
        rows[["store_id", "timestamp_utc", "status"]].to_csv(folder / name, index=False)
        if self.end_of(hour) == self.new_hours_at:
            hours = pd.concat([self._unchanged_hours(), self.new_hours])
            hours.to_csv(data / "business_hours.csv", index=False)

    def write_final(self, data: Path) -> None:
        """The whole month as one delivery; the hours say since when they hold."""
        self.write_snapshots(data)
        self.final.to_csv(data / "store_status.csv", index=False)
        dated = self.new_hours.assign(valid_from=self.new_hours_at.isoformat())
        always = self.business_hours.assign(valid_from="always")
        pd.concat([always, dated]).to_csv(data / "business_hours.csv", index=False)

    def end_of(self, hour: int) -> datetime:
        """The instant at which the deliveries of an hour are loaded."""
        return self.start + timedelta(hours=hour + 1)

    def _unchanged_hours(self) -> pd.DataFrame:
        changed = self.business_hours["store_id"].isin(self.new_hours["store_id"])
        return self.business_hours[~changed]


def make_month(folder: Path, *, stores: int, days: int, seed: int) -> Month:
    """A month over a fleet of sample stores; `folder` is for the files it is made from."""
    write_sample_data(folder, stores=stores, days=days, seed=seed, end=END)
    rng = np.random.default_rng(seed)
    polls = pd.read_csv(folder / "store_status.csv", dtype=str, keep_default_na=False)
    instants = pd.to_datetime(
        polls["timestamp_utc"].str.removesuffix(" UTC"), format="ISO8601", utc=True, errors="coerce"
    )
    is_good = (
        instants.notna() & polls["status"].isin(["active", "inactive"]) & (polls["store_id"] != "")
    )
    start = END - timedelta(days=days)
    polls = polls[is_good].assign(instant=instants[is_good])
    polls = polls[polls["instant"] < END].drop_duplicates(["store_id", "instant"], keep="last")
    polls = polls.sample(frac=1, random_state=seed).reset_index(drop=True)
    hours = days * 24
    own_hour = ((polls["instant"] - start) // timedelta(hours=1)).clip(0, hours - 1).astype(int)
    deliveries = _deliver(polls, own_hour.to_numpy(np.int64), hours, rng)
    business_hours = pd.read_csv(folder / "business_hours.csv", dtype=str, keep_default_na=False)
    with_hours = business_hours.loc[business_hours["store_id"] != "", "store_id"].unique()
    changed = rng.choice(with_hours, max(1, int(len(with_hours) * _CHANGED_STORES)), replace=False)
    new_hours = pd.DataFrame(
        [(store, str(day), "08:15:00", "01:45:00") for store in changed for day in range(6)],
        columns=business_hours.columns[:4],
    )
    return Month(
        start=start,
        hours=hours,
        deliveries=deliveries,
        final=polls[["store_id", "timestamp_utc", "status"]],
        business_hours=business_hours,
        new_hours=new_hours,
        new_hours_at=END - min(timedelta(days=3), timedelta(days=days) / 2),
        closures=_CLOSURES.format(*rng.choice(polls["store_id"].unique(), 3, replace=False)),
        timezones=(folder / "timezones.csv").read_bytes(),
    )


def _deliver(
    polls: pd.DataFrame,
    own_hour: npt.NDArray[np.integer[Any]],
    hours: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Every row that arrives, with the hour of the month in which it does."""
    draw = rng.random(len(polls))
    later = np.minimum(own_hour + rng.integers(1, _LATEST_HOURS + 1, len(polls)), hours - 1)
    is_late = draw < _LATE
    is_twice = (draw >= _LATE) & (draw < _LATE + _TWICE)
    # A correction that would arrive in the very hour of the mistake would be no later arrival.
    is_corrected = (draw >= _LATE + _TWICE) & (draw < _LATE + _TWICE + _CORRECTED)
    is_corrected &= later > own_hour
    wrong = polls["status"].map({"active": "inactive", "inactive": "active"})
    first = polls.assign(
        arrival=np.where(is_late, later, own_hour),
        status=np.where(is_corrected, wrong, polls["status"]),
    )
    again = polls[is_twice | is_corrected].assign(arrival=later[is_twice | is_corrected])
    return pd.concat([first, again])
