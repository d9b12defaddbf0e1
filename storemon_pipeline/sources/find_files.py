"""Finding the files of each source in the data folder, by their names and columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.csv_text import has_columns, shown_names
from storemon_pipeline.files.file_form import USUAL_FORM, FileForm
from storemon_pipeline.files.folders import (
    Folder,
    FoundFile,
    Query,
    data_folder,
    printable_path,
)
from storemon_pipeline.files.formats import Format, format_of, read_names
from storemon_pipeline.hours_formats import json_hours_file, opening_hours_file
from storemon_pipeline.loads.unread_files import PassedOverFile
from storemon_pipeline.sources.propose_form import columns_line, likely_source
from storemon_pipeline.sources.registry import columns_of, file_names
from storemon_pipeline.sources.source_settings import SourceSettings, read_source_settings

SUFFIXES: Final = tuple(Format)
"""Endings of files that are read, in any case."""

_NOT_FOR_ROWS: Final = {Format.ICALENDAR, Format.JSON_DOCUMENT}
"""Formats of closures or hours alone."""

_OTHER_NAME: Final = ""
"""Stands for the names of no source."""

ENDING: Final = f"its name does not end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
_LINK: Final = "it is a link to a folder, and such links are not followed"


Forms = Mapping[Source, Sequence[FileForm]]
"""The forms that each source's files may have: that of its settings, if there are any, is first."""


class MissingSourceError(Exception):
    """A source has neither file nor folder in the data folder."""

    def __init__(self, survey: "Survey", source: Source) -> None:
        names = file_names(source)
        self.source = source
        self.names = tuple(f"{name}.csv" for name in names)
        folders = " or ".join(f"{name}/" for name in names)
        columns = ", ".join(column.name for column in columns_of(source) if column.is_needed)
        endings = ", ".join(suffix for suffix in SUFFIXES[1:] if suffix not in _NOT_FOR_ROWS)
        place = f"in {survey.place}" + ("" if survey.has_folder else ", which is not a folder")
        others = "".join(f"; {file.file_path}: {file.reason}" for file in survey.passed_over)
        super().__init__(
            f"no file for {source} {place}: looked for {' and '.join(self.names)} "
            f"(or {endings}), for such files in a folder {folders}, "
            f"and for files with the columns {columns}{others}"
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """The files of all sources in the data folder.

    A source that is not in `files` has neither file nor folder; one with an empty folder has no
    files. `passed_over` are the files that somebody may have meant to be read, with the reasons:
    other files with the ending of one that is read, or with the name of a source, and other files
    in the folders of sources.
    """

    place: str
    has_folder: bool
    files: Mapping[Source, Sequence[FoundFile]]
    passed_over: Sequence[PassedOverFile]

    def of(self, source: Source) -> list[FoundFile]:
        """The files of a source. Raises MissingSourceError."""
        if source not in self.files:
            raise MissingSourceError(self, source)
        return list(self.files[source])


def find_files(data: str | Path | Folder, source: Source) -> list[FoundFile]:
    """The files of a source. Raises MissingSourceError, and as `survey_files` does."""
    return survey_files(data).of(source)


def survey_files(data: str | Path | Folder) -> Survey:
    """Find the files of all sources.

    A source's files are those with one of its names, in the order of SUFFIXES, then those in the
    folder of this name, at any depth, in the order of their paths. Then come the files with another
    name that have its columns. If there are several such groups of files, a snapshot has only the
    first; polls have all. A file is read in the form of its source's settings, or else in the usual
    one. Raises LocationError, SettingsError and UnreachableError.
    """
    folder = data_folder(data)
    settings = read_source_settings(folder)
    forms = _forms(settings)
    passed_over: list[PassedOverFile] = []
    groups: dict[Source, dict[str, list[FoundFile]]] = {source: {} for source in Source}
    for file, own_name in _top_files(folder, passed_over):
        found = source_of(file, own_name, forms)
        if isinstance(found, str):
            passed_over.append(_passed_over(file.file_path, None, found))
        else:
            source, form = found
            name = own_name if own_name in file_names(source) else _OTHER_NAME
            groups[source].setdefault(name or _OTHER_NAME, []).append(file.with_form(form))
    files: dict[Source, list[FoundFile]] = {}
    for source, by_name in groups.items():
        has_folder = False
        for name in file_names(source):
            below = folder.files_below(name)
            has_folder = has_folder or below is not None
            for file in below or ():
                if suffix_of(file.file_path):
                    form = forms[source][0]
                    if len(forms[source]) > 1:
                        form = _form_of(file, source, forms) or form
                    by_name.setdefault(name, []).append(file.with_form(form))
                else:
                    passed_over.append(_passed_over(file.file_path, source, ENDING))
            passed_over += [
                _passed_over(link, source, _LINK) for link in folder.folder_links_below(name)
            ]
        elsewhere = settings[source].elsewhere if source in settings else ()
        if by_name or has_folder or elsewhere:
            files[source] = _choose(source, by_name, passed_over)
        for path in elsewhere:
            file = FoundFile(path, path.name, size_bytes=-1, modified_ns=0)
            files[source].append(file.with_form(forms[source][0]))
    _add_dates(files)
    return Survey(str(folder), folder.exists(), files, passed_over)


def settings_forms(folder: Folder) -> Forms:
    """The forms that each source's files may have. Raises SettingsError and UnreachableError."""
    return _forms(read_source_settings(folder))


def _forms(settings: Mapping[Source, SourceSettings]) -> Forms:
    return {
        source: (settings[source].form, USUAL_FORM) if source in settings else (USUAL_FORM,)
        for source in Source
    }


def _choose(
    source: Source, by_name: dict[str, list[FoundFile]], passed_over: list[PassedOverFile]
) -> list[FoundFile]:
    """The files that are read, in their order; the others are added to `passed_over`."""
    names = [name for name in (*file_names(source), _OTHER_NAME) if name in by_name]
    if not source.is_snapshot:
        return [file for name in names for file in by_name[name]]
    for name in names[1:]:
        reason = f"there are files named {names[0]}, which are read instead"
        passed_over += [_passed_over(file.file_path, source, reason) for file in by_name[name]]
    return by_name[names[0]] if names else []


def _top_files(
    folder: Folder, passed_over: list[PassedOverFile]
) -> Iterator[tuple[FoundFile, str | None]]:
    """The files directly in the folder that may be read, with the name if it is a source's.

    A web server that lists no files is asked for those with the names of sources.
    """
    sources = {name: source for source in Source for name in file_names(source)}
    own = [name + suffix for name in sources for suffix in SUFFIXES]
    listed = folder.names()
    for name in listed:
        stem = name.split(".")[0].lower().replace(" ", "_")
        if not suffix_of(name) and stem in sources:
            passed_over.append(_passed_over(name, sources[stem], ENDING))
    names = own if not listed else sorted(filter(suffix_of, listed), key=_place_of(own))
    for file in folder.files(names):
        stem = file.file_path[: -len(suffix_of(file.file_path))]
        yield file, stem if stem in sources else None


def _place_of(own: Sequence[str]) -> Callable[[str], tuple[int, str]]:
    places = {name: place for place, name in enumerate(own)}
    return lambda name: (places.get(name, len(own)), name)


def source_of(file: FoundFile, own_name: str | None, forms: Forms) -> tuple[Source, FileForm] | str:
    """The source that a file is of, and its form; or the reason why it is of none.

    The columns decide. The name decides only between several sources whose columns the file has,
    and for a file with the columns of none, which the source's reader then refuses with the reason.
    A JSON document of hours is one of opening hours; `holds_dates` says whether it is read twice.
    """
    named = next((source for source in Source if own_name in file_names(source)), None)
    matching = {
        source: form for source in Source if (form := _form_of(file, source, forms)) is not None
    }
    if named is not None and (named in matching or not matching):
        return named, matching.get(named, forms[named][0])
    if format_of(file.file_path) is Format.JSON_DOCUMENT:
        matching.pop(Source.SPECIAL_HOURS, None)
    if len(matching) == 1:
        return next(iter(matching.items()))
    if matching:
        labels = " and ".join(source.label for source in matching)
        return f"its columns are those of {labels}: give it the name of a file of one of them"
    names = names_of(file, USUAL_FORM)
    if isinstance(names, str):
        return names
    reason = f"its columns are those of no source; found: {shown_names(names)}"
    likely = likely_source(names)
    if likely is not None:
        source, columns = likely
        reason += (
            f". If they are {source.label}, add the line {columns_line(columns)} "
            f"below [{source}] to sources.toml"
        )
    return reason


def _add_dates(files: dict[Source, list[FoundFile]]) -> None:
    """Add the files of opening hours that may have special hours too to those of special hours."""
    with_dates = [file for file in files.get(Source.BUSINESS_HOURS, ()) if holds_dates(file)]
    if with_dates:
        files[Source.SPECIAL_HOURS] = [*files.get(Source.SPECIAL_HOURS, ()), *with_dates]


def holds_dates(file: FoundFile) -> bool:
    """Whether a file of opening hours may have special hours too, and is read for them as well."""
    if isinstance(file.path, Query):
        # Its columns are known only when it runs.
        return opening_hours_file.TEXT_COLUMN in file.path.query.lower()
    if format_of(file.file_path) is Format.JSON_DOCUMENT:
        return True
    names = names_of(file, file.form)
    return not isinstance(names, str) and any(
        name.strip().lower() == opening_hours_file.TEXT_COLUMN for name in names
    )


def _form_of(file: FoundFile, source: Source, forms: Forms) -> FileForm | None:
    """The first form in which the file has the columns of the source; None without any."""
    for form in forms[source]:
        names = names_of(file, form)
        if not isinstance(names, str) and has_columns(names, form.columns(columns_of(source))):
            return form
    return None


def names_of(file: FoundFile, form: FileForm) -> tuple[str, ...] | str:
    """The names of a file's columns, or the reason why they cannot be read."""
    # A change of such a file would be seen in its listing.
    is_known = file.size_bytes >= 0 and bool(file.modified_ns or file.etag)
    return (_known_names if is_known else _read_names)(file, form.delimiter, form.encoding)


def _read_names(file: FoundFile, delimiter: str, encoding: str) -> tuple[str, ...] | str:
    columns = [column for source in Source for column in columns_of(source)]
    try:
        if format_of(file.file_path) is Format.JSON_DOCUMENT:
            return json_hours_file.read_names(file)
        return read_names(file, columns, delimiter=delimiter, encoding=encoding)
    except UnusableFileError as error:
        return error.reason
    except FileNotFoundError:
        return "it has vanished"


_known_names = lru_cache(maxsize=1_000)(_read_names)
"""As _read_names; the folder is looked at every few seconds."""


def suffix_of(file_path: str) -> str:
    """The ending in lower case, if files with it are read."""
    lowered = file_path.lower()
    return next((suffix for suffix in SUFFIXES if lowered.endswith(suffix)), "")


def _passed_over(file_path: str, source: Source | None, reason: str) -> PassedOverFile:
    return PassedOverFile(printable_path(file_path), source, reason)
