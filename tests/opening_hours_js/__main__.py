"""Compare made texts with opening_hours.js, which Node must find.

    npm install --prefix /tmp/js opening_hours@3.15.0
    TZ=UTC NODE_PATH=/tmp/js/node_modules PYTHONPATH=tests python -m opening_hours_js 10000

It prints how many texts are the same, rejected, or differ, with each text that differs.
"""

import json
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from tempfile import NamedTemporaryFile

from opening_hours_js.made_texts import made_texts
from opening_hours_js.merged_hours import Minutes, joined, merged_hours
from storemon_pipeline.hours_formats.opening_hours import OpeningTimes, read_opening_hours

PERIODS = (
    (date(2026, 12, 21), date(2027, 1, 4)),
    (date(2026, 4, 1), date(2026, 4, 8)),
    (date(2026, 6, 8), date(2026, 6, 15)),
)


def evaluate(texts: list[str], first: date, end: date) -> dict[str, Minutes | str]:
    """What opening_hours.js makes of the texts: open intervals, or an error."""
    script = Path(__file__).with_name("evaluate.cjs")
    with NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(texts, file)
        file.flush()
        answer = subprocess.run(
            ["node", str(script), file.name, str(first), str(end)],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    found: dict[str, Minutes | str] = json.loads(answer.stdout)
    return {text: each if isinstance(each, str) else joined(each) for text, each in found.items()}


def main(number: int) -> None:
    """Print the comparison."""
    texts = made_texts(number, seed=2026)
    theirs = [evaluate(texts, first, end) for first, end in PERIODS]
    kinds: Counter[str] = Counter()
    for text in texts:
        times = read_opening_hours(text, "DE")
        if not isinstance(times, OpeningTimes):
            kinds[f"rejected: {times}"] += 1
            continue
        ours = [merged_hours(times, first, end) for first, end in PERIODS]
        is_same = ours == [found[text] for found in theirs]
        kinds["the same" if is_same else "different"] += 1
        if not is_same:
            sys.stdout.write(f"{text}\n")
    for kind, count in kinds.most_common():
        sys.stdout.write(f"{count:>6} {kind}\n")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
