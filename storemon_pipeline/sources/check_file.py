"""Checking a file before it is loaded: its source, its form, and what would become of its rows."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from storemon_pipeline.domain.rejections import Reason, RejectedRow, UnusableFileError
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.file_form import USUAL_FORM, UTF_8, FileForm
from storemon_pipeline.files.folders import Folder, FoundFile, data_folder, open_file
from storemon_pipeline.files.formats import open_rows
from storemon_pipeline.polls.poll_rows import read_polls_file
from storemon_pipeline.sources.find_files import (
    ENDING,
    holds_dates,
    names_of,
    settings_forms,
    source_of,
    suffix_of,
)
from storemon_pipeline.sources.propose_form import (
    Proposal,
    likely_source,
    propose_values,
    settings_lines,
)
from storemon_pipeline.sources.registry import SNAPSHOTS, columns_of, file_names

_DELIMITERS: Final = (",", ";", "\t", "|")
_ENCODINGS: Final = (UTF_8, "cp1252", "utf-16-le", "utf-16-be")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would become of a file's rows in one form."""

    rows_read: int
    rejected: tuple[RejectedRow, ...]

    @property
    def loaded(self) -> int:
        """How many rows would be loaded."""
        return self.rows_read - len(self.rejected)

    @property
    def by_reason(self) -> list[tuple[str, int]]:
        """How many rows would be rejected for each reason, the most first."""
        return Counter(str(row.reason) for row in self.rejected).most_common()


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that was checked.

    `source` None: the file is like no source's. `now` is what the settings of today make of it;
    a text is the reason why it would not be read. `lines` are those to add to the settings, with
    `remarks` on them, and `then` is what they, and a name with a known ending, would make of it.
    """

    source: Source | None
    now: Outcome | str
    lines: tuple[str, ...]
    remarks: tuple[str, ...]
    then: Outcome | None


def check_file(data: str | Folder, place: str, *, now_us: int) -> CheckedFile:
    """Check a file at a path or URL with the settings of the data folder. Nothing is loaded.

    Raises FileNotFoundError, LocationError, SettingsError and UnreachableError.
    """
    folder, _, name = place.rpartition("/")
    found = data_folder(folder or ("/" if place.startswith("/") else ".")).files([name])
    if not found:
        raise FileNotFoundError(place)
    file = found[0]
    forms = settings_forms(data_folder(data))
    decided = source_of(file, _own_name(place), forms)
    if isinstance(decided, str):
        now: Outcome | str = decided
        proposed = _propose(file, None)
    else:
        source, form = decided
        now = _read(file, source, form, now_us)
        if isinstance(now, Outcome) and not suffix_of(file.file_path):
            return CheckedFile(source, ENDING, (), (), now)
        if isinstance(now, Outcome) and not now.rejected:
            return CheckedFile(source, now, (), (), None)
        proposed = _propose(file, source)
    if proposed is None:
        return CheckedFile(None if isinstance(decided, str) else decided[0], now, (), (), None)
    source, proposal = proposed
    then = _read(file, source, proposal.form, now_us)
    loaded_now = now.loaded if isinstance(now, Outcome) else 0
    lines = tuple(settings_lines(source, proposal.form))
    if isinstance(then, str) or not lines or then.loaded <= loaded_now:
        return CheckedFile(source, now, (), (), None)
    if not suffix_of(file.file_path):
        now = ENDING
    return CheckedFile(source, now, lines, proposal.remarks, then)


def _own_name(place: str) -> str | None:
    """The source's name that the file, or a folder that it lies in, has."""
    path = PurePosixPath(place)
    own = {name for source in Source for name in file_names(source)}
    names = [path.name.split(".")[0], *reversed(path.parent.parts)]
    return next((name for name in names if name in own), None)


def _propose(file: FoundFile, source: Source | None) -> tuple[Source, Proposal] | None:
    """The source that the file is most like, if none is given, and a form for the file."""
    for encoding in _ENCODINGS:
        for delimiter in _DELIMITERS:
            form = replace(USUAL_FORM, encoding=encoding, delimiter=delimiter)
            names = names_of(file, form)
            likely = None if isinstance(names, str) else likely_source(names, source)
            if likely is None:
                continue
            found, columns = likely
            form = replace(form, column_names=tuple(columns.items()))
            proposal = _with_values(file, found, form)
            if proposal is not None:
                return found, proposal
    return None


def _with_values(file: FoundFile, source: Source, form: FileForm) -> Proposal | None:
    """The form with what the file's values need; None if its text is in another encoding."""
    columns = columns_of(source)
    try:
        with open_file(file.with_form(form)) as opened, open_rows(opened, columns) as rows:
            block = next(rows.blocks, None)
    except UnusableFileError:
        return None
    if block is None:
        return Proposal(form)
    if form.encoding == UTF_8 and any(row.reason is Reason.NOT_UTF8 for row in block.rejected):
        return None
    return propose_values(form, block.columns)


def _sources_of_rows(file: FoundFile, source: Source) -> list[Source]:
    """The source, and special hours for a file of opening hours that has some too."""
    if source is Source.BUSINESS_HOURS and holds_dates(file):
        return [source, Source.SPECIAL_HOURS]
    return [source]


def _read(file: FoundFile, source: Source, form: FileForm, now_us: int) -> Outcome | str:
    try:
        with open_file(file.with_form(form)) as opened:
            if source.is_snapshot:
                reads = [SNAPSHOTS[each].read(opened) for each in _sources_of_rows(file, source)]
                return Outcome(
                    sum(read.rows_read for read in reads),
                    tuple(row for read in reads for row in read.rejected),
                )
            polls = read_polls_file(opened, now_us=now_us)
            return Outcome(polls.rows_read, polls.rejected)
    except UnusableFileError as error:
        return error.reason
