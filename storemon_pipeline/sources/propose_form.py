"""Proposing the form of a file from its header and a sample of its rows. Nothing is read here."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final
from unicodedata import combining, normalize

import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.file_form import NUMBERS, SPREADSHEET_DAYS, USUAL_FORM, FileForm
from storemon_pipeline.files.form_values import DATE, INSTANTS, STATES, WALL_CLOCKS, date_pattern
from storemon_pipeline.files.timestamps import parse_fields, parse_instants
from storemon_pipeline.sources.registry import columns_of
from storemon_pipeline.sources.source_settings import DAY_NAMES, DAYS

_OTHER_NAMES: Final = {
    "store_id": "store storenumber storeno shop shopid restaurant restaurantid location locationid "
    "site siteid branch branchid filiale filialnummer standort tienda sucursal magasin "
    "établissement etablissement negozio loja winkel id",
    "timestamp_utc": "timestamp time datetime date checkedat polledat at ts utc timeutc dateutc "
    "observedat created createdat when zeitpunkt zeitstempel zeitutc zeit datum fechahora fecha "
    "horodatage dateheure data",
    "status": "state storestatus storestate active isactive online isonline up isup result zustand "
    "estado statut état etat stato",
    "dayofweek": "weekday dow dayname wochentag tag díasemana diasemana día dia jour giorno "
    "weekdag",
    "start_time_local": "start starttime open opens opentime openingtime from opensat opening "
    "öffnung oeffnung öffnet von beginn apertura abre ouverture ouvre début debut opent",
    "end_time_local": "end endtime close closes closetime closingtime to closesat closing until "
    "schließung schliessung schließt bis ende cierre cierra fermeture ferme fin chiusura sluit",
    "timezone_str": "timezone tz zone timezonename ianazone zeitzone zonahoraria "
    "fuseauhoraire fusoorario tijdzone",
    "start_local": "start from begin begins closedfrom startdate von beginn desde début debut",
    "end_local": "end to until ends closeduntil enddate bis ende hasta fin",
    "reason": "why note notes comment grund motivo motif",
    "name": "storename title",
    "group": "storegroup brand chain franchise",
    "region": "area district state",
}
"""Names that columns have elsewhere, as letters and digits alone."""

_UP: Final = {
    "online",
    "up",
    "1",
    "true",
    "yes",
    "y",
    "on",
    "open",
    "ok",
    "available",
    "reachable",
} | {
    *("an", "offen", "geöffnet", "abierto", "abierta", "ouvert", "ouverte", "aperto", "aberto"),
}
_DOWN: Final = {"offline", "down", "0", "false", "no", "n", "off", "closed", "unavailable"} | {
    *("unreachable", "aus", "geschlossen", "cerrado", "cerrada", "fermé", "fermée", "chiuso"),
    *("fechado", "gesloten"),
}

_DATES: Final = (
    *(
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d.%m.%Y",
        "%m.%d.%Y",
        "%d-%m-%Y",
        "%m-%d-%Y",
        "%Y/%m/%d",
        "%Y.%m.%d",
    ),
    *("%Y-%m-%d", "%Y%m%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y"),
    *("%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%a, %d %b %Y"),
)
_TIMES: Final = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%H%M%S")
_ENDS: Final = ("", " %z", "%z")
_WEEKS: Final = (
    ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag"),
    ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
    ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "domingo"),
    ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
)
"""Names of days in German, French, Spanish, Italian, Portuguese and Dutch."""
_LETTERS_OF_DAYS: Final = (None, 3, 2)
"""Names of days are written in full, or with so many letters."""
_FIRST_VALUES: Final = 20
_EPOCH_DIGITS: Final = {9: "seconds", 10: "seconds", 12: "milliseconds", 13: "milliseconds"} | {
    15: "microseconds",
    16: "microseconds",
}
_SPREADSHEET_DIGITS: Final = 5


@dataclass(frozen=True, slots=True)
class Proposal:
    """A form that reads more of a file, and remarks on what was not certain."""

    form: FileForm
    remarks: tuple[str, ...] = ()


def guess_columns(names: Sequence[str], source: Source) -> dict[str, str] | None:
    """The columns of the source that have another name in a file with these `names`.

    None if a required column is not among them.

    >>> guess_columns(["Store", "Checked at", "status"], Source.STORE_STATUS)
    {'store_id': 'Store', 'timestamp_utc': 'Checked at'}
    """
    found = {}
    named = [name.strip() for name in reversed(names) if name.strip()]
    # Of a path within an object, the last name may be enough.
    left = {_letters(name.rpartition(".")[2]): name for name in named}
    left |= {_letters(name): name for name in named}
    columns = columns_of(source)
    for column in columns:
        for name in column.names:
            left.pop(_letters(name) if _has(names, column) else "", None)
    for column in columns:
        if _has(names, column):
            continue
        options = (_letters(column.name), *_OTHER_NAMES.get(column.name, "").split())
        other = next((option for option in options if option in left), None)
        if other is not None:
            found[column.name] = left[other]
            left = {word: name for word, name in left.items() if name != left[other]}
        elif column.is_needed:
            return None
    has_more = any(_has(names, column) or column.name in found for column in columns[1:])
    return found if has_more else None


def likely_source(
    names: Sequence[str], known: Source | None = None
) -> tuple[Source, dict[str, str]] | None:
    """The source that a file with these names is most like, and its columns with other names.

    With a `known` source no other one is looked at.
    """
    sources = list(Source) if known is None else [known]
    guesses = [(source, guess_columns(names, source)) for source in sources]
    found = [(source, guess) for source, guess in guesses if guess is not None]
    # The more columns a source needs, the less it is met by chance.
    return max(
        found,
        key=lambda each: (sum(column.is_needed for column in columns_of(each[0])), -len(each[1])),
        default=None,
    )


def columns_line(columns: Mapping[str, str]) -> str:
    """The line of settings for columns with other names."""
    pairs = ", ".join(f"{name} = {_quoted(own)}" for name, own in columns.items())
    return f"columns = {{ {pairs} }}"


def propose_values(form: FileForm, columns: Mapping[str, pa.Array]) -> Proposal:
    """The form with what the values of a sample of rows need, by column (n,)."""
    remarks: list[str] = []
    for name, text in columns.items():
        values = list(dict.fromkeys(value.strip() for value in text.to_pylist() if value.strip()))
        words = {value.lower() for value in values}
        if not values:
            continue
        if name in INSTANTS | WALL_CLOCKS and not form.date_format:
            formats = _date_formats(values)
            form = replace(form, date_format=formats[0] if formats else "")
            remarks += [f'date_format = "{other}" fits as many rows' for other in formats[1:]]
        elif name == DATE and not form.date_format:
            formats = _date_formats(values, is_date=True)
            form = replace(form, date_format=formats[0] if formats else "")
            remarks += [f'date_format = "{other}" fits as many rows' for other in formats[1:]]
        elif name in STATES:
            form = replace(
                form,
                statuses=(
                    *((word, "active") for word in sorted(words & _UP)),
                    *((word, "inactive") for word in sorted(words & _DOWN)),
                ),
            )
        elif name == "dayofweek":
            form = replace(form, weekdays=_weekdays({word.rstrip(".") for word in words}))
            if form.weekdays and "7" in words:
                remarks.append('1 is taken for Monday; otherwise add first_weekday = "Sunday"')
        elif name in {"start_time_local", "end_time_local"}:
            has_half = any(re.search(r"\d *[ap]\.?m\.?$", word) for word in words)
            form = replace(form, is_12_hour=form.is_12_hour or has_half)
    return Proposal(form, tuple(remarks))


def settings_lines(source: Source, form: FileForm) -> list[str]:
    """The lines of `sources.toml` for this form; none for the usual one."""
    if form == USUAL_FORM:
        return []
    lines = [f"[{source}]"]
    if form.column_names:
        lines.append(columns_line(dict(form.column_names)))
    lines += [
        f"{name} = {_quoted(getattr(form, name))}"
        for name in ("delimiter", "encoding", "date_format", "zone")
        if getattr(form, name) != getattr(USUAL_FORM, name)
    ]
    for meaning in ("active", "inactive"):
        words = [word for word, stands_for in form.statuses if stands_for == meaning]
        if words:
            lines.append(f"{meaning} = [{', '.join(map(_quoted, words))}]")
    if form.weekdays:
        lines.append(f"weekdays = {_weekdays_setting(form.weekdays)}")
    if form.is_12_hour:
        lines.append("clock = 12")
    return lines


def _has(names: Sequence[str], column: Column) -> bool:
    return not {name.strip().lower() for name in names}.isdisjoint(column.names)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _weekdays_setting(weekdays: tuple[tuple[str, str], ...]) -> str:
    if weekdays == DAY_NAMES:
        return '"names"'
    if weekdays[0][0].isdecimal():
        return '"1-7"'
    return f"[{', '.join(_quoted(word) for word, _ in weekdays)}]"


def _date_formats(values: Sequence[str], *, is_date: bool = False) -> list[str]:
    """The formats that read the most values, if that is at least half of them.

    None if most are written as usual.
    """
    texts = pa.array(values, pa.string())
    usual = pc.binary_join_element_wise(texts, "00:00", " ") if is_date else texts
    if 2 * parse_instants(usual)[1].sum() >= len(values):
        return []
    lengths = Counter(
        len(found[1]) for value in values if (found := re.fullmatch(r"(\d+)([.,]\d+)?", value))
    )
    if lengths:
        length, count = lengths.most_common(1)[0]
        unit = f"epoch {_EPOCH_DIGITS.get(length)}"
        if length == _SPREADSHEET_DIGITS:
            unit = SPREADSHEET_DAYS
        if 2 * count >= len(values) and unit in NUMBERS and not (is_date and "epoch" in unit):
            return [unit]
    formats: list[str] = list(_DATES)
    if not is_date:
        formats = [
            f"{date}{between}{time}{end}"
            for date, between, time, end in product(_DATES, (" ", "T", ", "), _TIMES, _ENDS)
        ]
    some = texts.slice(0, _FIRST_VALUES)
    patterns = {each: date_pattern(each, needs_time=not is_date) for each in formats}
    likely = [each for each in formats if parse_fields(some, patterns[each])[1].any()]
    read = {each: int(parse_fields(texts, patterns[each])[1].sum()) for each in likely}
    most = max(read.values(), default=0)
    return [each for each in likely if read[each] == most and 2 * most >= len(values)]


def _weekdays(words: set[str]) -> tuple[tuple[str, str], ...]:
    if "7" in words and words <= set("1234567"):
        return tuple((str(day + 1), str(day)) for day in range(len(DAYS)))
    if words <= dict(DAY_NAMES).keys():
        return DAY_NAMES
    weeks = [
        tuple((word, str(day)) for day, word in enumerate(week))
        for names, letters in product((*_WEEKS, *map(_plain, _WEEKS)), _LETTERS_OF_DAYS)
        if words <= set(week := tuple(name[:letters] for name in names))
    ]
    # In two languages one word may stand for two days.
    meanings = {tuple(sorted(pair for pair in week if pair[0] in words)) for week in weeks}
    return weeks[0] if len(meanings) == 1 else ()


def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names without accents."""
    return tuple(
        "".join(letter for letter in normalize("NFD", name) if not combining(letter))
        for name in names
    )
