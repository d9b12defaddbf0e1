"""Objectives as OpenSLO documents: one for each store and period, with the store's own clock."""

import hashlib
import json
import re
from datetime import datetime
from typing import Final
from urllib.parse import quote

from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.business_time.zones import zone_of
from storemon_pipeline.domain.rejections import printable
from storemon_pipeline.objectives.precedence import percentage

_DURATIONS: Final = {Period.WEEK: "1w", Period.MONTH: "1M"}
_PLAIN_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,38}[a-z0-9])?")
_ALWAYS_PPM: Final = 1_000_000
_UTC: Final = "Etc/UTC"
_DOCUMENT: Final = """\
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: uptime-{period}-{service}
  displayName: {title}
spec:
  description: {description}
  service: "{service}"
  indicator:
    metadata:
      name: uptime
    spec:
      ratioMetric:
        counter: false
        good:
          metricSource:
            type: storemon
            spec:
              path: {path}
              sum: [uptime_us]
        total:
          metricSource:
            type: storemon
            spec:
              path: {path}
              sum: [uptime_us, downtime_us]
  timeWindow:
    - duration: {duration}
      calendar:
        startTime: "{start}"
        timeZone: {timezone}
      isRolling: false
  budgetingMethod: Occurrences
  objectives:
    - target: {target}
"""


def openslo_document(
    *,
    store_id: str,
    name: str | None,
    timezone: str,
    period: Period,
    start: datetime,
    objective_ppm: int,
) -> str:
    """The objective of a store as a YAML document of OpenSLO v1.

    It is valid by the JSON schema that OpenSLO publishes, which wants a `target` below 1, the start
    and names as text, and zones with a slash. `start` is the start of a week or month. An objective
    of 100 % gives a comment instead: OpenSLO allows only less.
    """
    title = _quoted(f"{name} ({store_id})" if name else store_id)
    if objective_ppm == _ALWAYS_PPM:
        return f"# {title}: OpenSLO cannot express an objective of 100 % per {period}.\n"
    return _DOCUMENT.format(
        period=period,
        service=_service(store_id),
        title=title,
        description=_quoted(
            f"The share of opening time in which the store is up, per calendar {period} of its "
            "own clock."
        ),
        path=_quoted(f"/stores/{quote(store_id, safe='')}/uptime?by={period}"),
        duration=_DURATIONS[period],
        start=f"{start.astimezone(zone_of(timezone)):%Y-%m-%d %H:%M:%S}",
        timezone=_UTC if timezone == "UTC" else timezone,
        target=f"{(percentage(objective_ppm) / 100).normalize():f}",
    )


def _quoted(text: str) -> str:
    """The text in quotes: every string of JSON without escaped surrogates is one of YAML."""
    return json.dumps(printable(text), ensure_ascii=False)


def _service(store_id: str) -> str:
    """The id as a DNS label, as OpenSLO wants names: an id that is none is replaced by its digest.

    >>> _service("7482936150293847561"), _service("Main Street")
    ('7482936150293847561', 'store-4249a5b864b0f3382e9d')
    """
    if _PLAIN_NAME.fullmatch(store_id):
        return store_id
    return f"store-{hashlib.sha256(store_id.encode()).hexdigest()[:20]}"
