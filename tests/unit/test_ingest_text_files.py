"""Bytes of a CSV file become blocks of text columns."""

import csv
import io
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

from properties import holds_for
from storemon_pipeline.domain.rejections import (
    Reason,
    RejectedRow,
    UnusableFileError,
    Verdict,
    shortened,
)
from storemon_pipeline.files.csv_text import BLOCK_BYTES, Column, TextBlock, open_text_file

AB = (Column("a"), Column("b", ("bee",)), Column("extra", is_needed=False))


class Content(NamedTuple):
    """All blocks of a file put together."""

    rows: list[tuple[int, str, str]]  # line, a, b
    rejected: list[tuple[int, str, str]]  # line, text, reason
    rows_read: int
    blocks: int


def read(tmp_path: Path, content: bytes, *, block_bytes: int = BLOCK_BYTES) -> Content:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with open_text_file(path, AB, block_bytes=block_bytes) as file:
        blocks = list(file.blocks)
    assert blocks[-1].bytes_done == file.bytes_total == len(content)
    rejected = [row for block in blocks for row in block.rejected]
    return Content(
        rows=[row for block in blocks for row in rows_of(block)],
        rejected=[(row.line, row.text, row.reason) for row in rejected],
        rows_read=sum(block.rows_read for block in blocks),
        blocks=len(blocks),
    )


def rows_of(block: TextBlock) -> list[tuple[int, str, str]]:
    a, b = block.columns["a"].to_pylist(), block.columns["b"].to_pylist()
    return list(zip(block.line.tolist(), a, b, strict=True))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a,b\n1,x\n2,y\n", id="line feeds"),
        pytest.param(b"a,b\n1,x\n2,y", id="no line feed at the end"),
        pytest.param(b"\xef\xbb\xbfa,b\n1,x\n2,y\n", id="byte order mark"),
        pytest.param(b'\xef\xbb\xbf"a","b"\n1,x\n2,y\n', id="byte order mark before a quote"),
        pytest.param(b"a,b\r\n1,x\r\n2,y\r\n", id="CR LF"),
        pytest.param(b"a,b\r1,x\r2,y\r", id="lone CR"),
        pytest.param(b"a,b\r1,x\r\n2,y\n", id="all three ends of line in one file"),
        pytest.param(b'"a","b"\n"1","x"\n"2","y"\n', id="every field quoted"),
        pytest.param(b'a,b\n1,"x"\n"2",y\n', id="some fields quoted"),
        pytest.param(b"b,a\nx,1\ny,2\n", id="other order of columns"),
        pytest.param(b" A ,\tB\n1,x\n2,y\n", id="header in capitals with blanks"),
        pytest.param(b"a,Bee\n1,x\n2,y\n", id="another name of a column"),
        pytest.param(b"a,n,b,n\n1,?,x,?\n2,?,y,?\n", id="columns that nobody wants"),
        pytest.param(b"a,b,\n1,x,\n2,y,\n", id="a comma at the end of every line"),
        pytest.param(b"a,b\n1,x,\n2,y,\n", id="a comma at the end of every row"),
        pytest.param(b"a,b\n1,x,,\n2,y,,\n", id="two commas at the end of every row"),
        pytest.param(b"a,b,\n1,x\n2,y\n", id="a comma at the end of the header"),
        pytest.param(b'a,b\n"1",x,\n2,"y",\n', id="quotes and a comma at the end of every row"),
        pytest.param(b"a,b\n1,x, \n2,y\n", id="a comma at the end of one row"),
    ],
)
def test_the_same_rows_come_out_of_every_style_of_csv(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content)[:3] == ([(2, "1", "x"), (3, "2", "y")], [], 2)


@pytest.mark.parametrize(
    ("line", "a", "b"),
    [
        pytest.param(b'"1,5",x', "1,5", "x", id="a comma in quotes"),
        pytest.param(b'"1""5",x', '1"5', "x", id="doubled quotes"),
        pytest.param(b'"1"",""5",x', '1","5', "x", id="quotes and comma in quotes"),
        pytest.param(b'"",x', "", "x", id="nothing in quotes"),
        pytest.param(b'"""",x', '"', "x", id="a quote alone in quotes"),
        pytest.param(b' "1", "x,y"', "1", "x,y", id="blanks before quotes"),
        pytest.param(b'1"5,x', '1"5', "x", id="a quote inside a field"),
        pytest.param(b'5",x"', '5"', 'x"', id="quotes at the ends of fields"),
        pytest.param(b" 1 ,x ", " 1 ", "x ", id="blanks stay for the reader of the field"),
        pytest.param(b"NA,null", "NA", "null", id="words that other readers take for nothing"),
        pytest.param(b",", "", "", id="empty fields"),
        pytest.param(b"007,1e5", "007", "1e5", id="text that looks like numbers"),
        pytest.param("Köln,東京".encode(), "Köln", "東京", id="beyond ASCII"),
        pytest.param(b"'1',x", "'1'", "x", id="single quotes are text"),
        pytest.param(b"\xef\xbb\xbf1,x", "\ufeff1", "x", id="a mark in the middle is text"),
    ],
)
def test_a_line_becomes_its_fields(tmp_path: Path, line: bytes, a: str, b: str) -> None:
    content = b"a,b\nfirst,1\n" + line + b"\nlast,3\n"
    rows = [(2, "first", "1"), (3, a, b), (4, "last", "3")]
    assert read(tmp_path, content).rows == rows
    # The same with the line at the beginning of a block.
    assert read(tmp_path, content, block_bytes=max(len(line) + 1, 12)).rows == rows


@pytest.mark.parametrize(
    ("line", "text", "reason"),
    [
        pytest.param(b"1", "1", "wrong number of fields", id="a field missing"),
        pytest.param(b"1,x,y", "1,x,y", "wrong number of fields", id="a field too many"),
        pytest.param(b"1,x,,y", "1,x,,y", "wrong number of fields", id="too many after a comma"),
        pytest.param(b'"1,2",x,y', '"1,2",x,y', "wrong number of fields", id="too many, quoted"),
        pytest.param(b'"1,x"', '"1,x"', "wrong number of fields", id="one field in quotes"),
        pytest.param(b'"1,x', '"1,x', "quotes do not match", id="a stray quote"),
        pytest.param(b'"1"2,x', '"1"2,x', "quotes do not match", id="text after quotes"),
        pytest.param(b'1,"', '1,"', "quotes do not match", id="a quote alone"),
        pytest.param(b"1\xff,x", "1\\xff,x", "not UTF-8", id="not UTF-8"),
        pytest.param(b"K\xf6ln,x", "K\\xf6ln,x", "not UTF-8", id="Latin-1"),
        pytest.param(b"1\0,x", "1\\x00,x", "contains a NUL byte", id="NUL byte"),
        pytest.param(b"1\0\xff,x", "1\\x00\\xff,x", "not UTF-8", id="NUL byte and not UTF-8"),
        pytest.param(b"1\t\x1b,", "1\\t\\x1b,", "", id="control characters are no reason"),
    ],
)
def test_only_the_line_that_is_no_row_is_rejected(
    tmp_path: Path, line: bytes, text: str, reason: str
) -> None:
    content = read(tmp_path, b"a,b\nfirst,1\n\n" + line + b"\nlast,3\n")
    assert [row[0] for row in content.rows if row[0] != 4] == [2, 5]
    assert content.rejected == ([(4, text, reason)] if reason else [])
    assert content.rows_read == 3


@pytest.mark.parametrize(
    ("row", "a", "b"),
    [
        pytest.param(b'1,"two\nlines"', "1", "two\nlines", id="in the last field"),
        pytest.param(b'"two\nlines",x', "two\nlines", "x", id="in the first field"),
        pytest.param(b'"1\n2","x\ny"', "1\n2", "x\ny", id="in both fields"),
        pytest.param(b'1,"two\r\nlines"', "1", "two\nlines", id="as Windows writes it"),
        pytest.param(b'1,"\n\n\n"', "1", "\n\n\n", id="blank lines"),
        pytest.param(b'1,"a\nb,c\n""d"""', "1", 'a\nb,c\n"d"', id="commas and quotes inside"),
        pytest.param(b'1,"a\n8,x\n9,y"', "1", "a\n8,x\n9,y", id="lines that look like rows"),
        pytest.param(b'1, "a\nb"', "1", "a\nb", id="a blank before the quotes"),
        pytest.param(b'1,"' + b"\n" * 49 + b'"', "1", "\n" * 49, id="50 lines"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1 << 20, 64])
def test_a_quoted_line_break_is_part_of_its_field(
    tmp_path: Path, row: bytes, a: str, b: str, block_bytes: int
) -> None:
    content = read(
        tmp_path,
        b"a,b\nfirst,0\n" + row + b"\nbad\n" + b"last,3\n" + b"more,4\n" * 9,
        block_bytes=block_bytes,
    )
    lines = 3 + row.count(b"\n")
    assert content.rows[:3] == [(2, "first", "0"), (3, a, b), (lines + 2, "last", "3")]
    assert content.rejected == [(lines + 1, "bad", "wrong number of fields")]
    assert content.rows_read == 13


@holds_for(
    60,
    2_000,
    rows=st.lists(
        st.tuples(*[st.text('ab1,"\n', max_size=12).map(lambda text: f"x{text}")] * 2), max_size=12
    ),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    block_bytes=st.integers(80, 400),
)
def test_what_a_csv_writer_wrote_is_read_back(
    tmp_path: Path,
    rows: list[tuple[str, str]],
    quoting: Literal[0, 1],
    block_bytes: int,
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows([("a", "b"), *rows])
    content = read(tmp_path, text.getvalue().encode(), block_bytes=block_bytes)
    assert [row[1:] for row in content.rows] == rows
    assert content.rejected == []
    lines = [1 + text.count("\n") for text in map("".join, [("", ""), *rows])]
    assert [row[0] for row in content.rows] == [
        1 + sum(lines[: number + 1]) for number in range(len(rows))
    ]


@pytest.mark.parametrize("block_bytes", [1 << 20, 64])
def test_a_stray_quote_swallows_no_line_after_it(tmp_path: Path, block_bytes: int) -> None:
    lines = [b'1,"x', b"2,y", b'3,"z', b"4,v", b'5,"' + b"w" * 9, *[b"6,u"] * 60]
    content = read(tmp_path, b"a,b\n" + b"\n".join(lines) + b"\n", block_bytes=block_bytes)
    assert content.rejected == [
        (2, '1,"x', "quotes do not match"),
        (4, '3,"z', "quotes do not match"),
        (6, '5,"wwwwwwwww', "quotes do not match"),
    ]
    assert [row[1] for row in content.rows] == ["2", "4", *["6"] * 60]


def test_a_row_with_too_many_quoted_line_breaks_is_a_stray_quote(tmp_path: Path) -> None:
    content = read(tmp_path, b'a,b\n1,"' + b"\n" * 50 + b'"\n2,y\n')
    assert content.rows == [(53, "2", "y")]
    assert content.rejected == [
        (2, '1,"', "quotes do not match"),
        (52, '"', "quotes do not match"),
    ]


def test_a_quoted_line_break_in_the_header_belongs_to_its_column(tmp_path: Path) -> None:
    content = read(tmp_path, b'a,"name\nof it",b\n1,?,x\n')
    assert content.rows == [(3, "1", "x")]


def test_lines_are_numbered_as_an_editor_numbers_them(tmp_path: Path) -> None:
    content = read(tmp_path, b"\n  \na,b\n\n1,x\n \t \n\nbad\n2,y\n\n\n3,z")
    assert content.rows == [(5, "1", "x"), (9, "2", "y"), (12, "3", "z")]
    assert content.rejected == [(8, "bad", "wrong number of fields")]
    assert content.rows_read == 4


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CR LF", "CR"])
@pytest.mark.parametrize("block_bytes", [16, 17, 18, 19, 20, 40, 1000])
def test_the_size_of_blocks_changes_nothing(tmp_path: Path, end: bytes, block_bytes: int) -> None:
    lines = [b"a,b", b"1,x", b"", b'"2,5",y', b"bad", b"", b"", b"3\xff,z", b'"4,u', b"5,ok"]
    content = read(tmp_path, end.join([*lines, b""]), block_bytes=block_bytes)
    assert content[:3] == (
        [(2, "1", "x"), (4, "2,5", "y"), (10, "5", "ok")],
        [
            (5, "bad", "wrong number of fields"),
            (8, "3\\xff,z", "not UTF-8"),
            (9, '"4,u', "quotes do not match"),
        ],
        6,
    )
    assert content.blocks > 1 or block_bytes > 20


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CR LF", "CR"])
@pytest.mark.parametrize("length", [16, 17, 18, 23, 24, 25, 31, 32, 33, 100])
def test_a_line_longer_than_a_block_is_one_rejected_row(
    tmp_path: Path, end: bytes, length: int
) -> None:
    long = b"9," + b"x" * (length - 2)
    content = read(tmp_path, end.join([b"a,b", b"1,x", long, b"", b"2,y", b""]), block_bytes=16)
    assert content.rows_read == 3
    assert [row for row in content.rows if row[0] != 3] == [(2, "1", "x"), (5, "2", "y")]
    if length > 16:
        assert content.rejected == [(3, "9,xxxxxxxxxxxxxx", "line is too long")]


def test_a_long_line_at_the_end_of_the_file_is_rejected(tmp_path: Path) -> None:
    content = read(tmp_path, b"a,b\n1,x\n" + b"y" * 50, block_bytes=16)
    assert content.rejected == [(3, "y" * 16, "line is too long")]


def test_a_rejected_row_is_kept_whole(tmp_path: Path) -> None:
    content = read(tmp_path, b"a,b\n" + b"x" * 5000 + b"\n" + "ü".encode() * 5000 + b"\n")
    assert [text for _, text, _ in content.rejected] == ["x" * 5000, "ü" * 5000]


def test_a_text_is_shortened_where_it_is_shown() -> None:
    assert shortened("x" * 4000) == "x" * 4000
    assert shortened("x" * 4001) == "x" * 4000 + "…"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "it is empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf", "it is empty", id="a byte order mark alone"),
        pytest.param(b"\n \r\n\t\n", "it is empty", id="blank lines alone"),
        pytest.param(
            b"\x89PNG\r\n\x1a\n\0\0",
            "the first line is not UTF-8 text: save it as CSV in UTF-8",
            id="a picture",
        ),
        pytest.param(
            "a,b\n1,x\n".encode("utf-16-le"),
            "the first line contains NUL bytes: save the file as CSV in UTF-8",
            id="UTF-16 without a byte order mark",
        ),
        pytest.param(
            b"\xff\xfe" + "a,b\n1,x\n".encode("utf-16-le"),
            "it is in UTF-16: save it as CSV in UTF-8",
            id="UTF-16 as Windows writes it",
        ),
        pytest.param(
            b"\xfe\xff" + "a,b\n1,x\n".encode("utf-16-be"),
            "it is in UTF-16: save it as CSV in UTF-8",
            id="UTF-16 with the high byte first",
        ),
        pytest.param(
            b'"A";"b"\n1;x\n',
            "its fields are separated by semicolons (;): save it as CSV with commas (,)",
            id="semicolons",
        ),
        pytest.param(
            b"a\tb\n1\tx\n",
            "its fields are separated by tabs: save it as CSV with commas (,)",
            id="tabs",
        ),
        pytest.param(
            b"a|c\n1|x\n",
            "its fields are separated by vertical bars (|): save it as CSV with commas (,)",
            id="vertical bars and a column missing",
        ),
        pytest.param(
            b'a,"b\n1,x\n',
            "the first line cannot be read as CSV: quotes do not match",
            id="a stray quote in the header",
        ),
        pytest.param(
            b"Id;Name\n1;x\n",
            "no column a, no column b or bee (found: Id;Name): correct the header",
            id="neither",
        ),
        pytest.param(
            b"a , c\n1,x\n",
            "no column b or bee (found: a, c): correct the header",
            id="a column missing",
        ),
        pytest.param(
            b"x", "no column a, no column b or bee (found: x): correct the header", id="one byte"
        ),
        pytest.param(
            b"a,b,A\n1,x,2\n", "more than one column a; found: a, b, A", id="a column twice"
        ),
        pytest.param(
            b"a,bee,b\n1,x,2\n",
            "more than one column bee and b; found: a, bee, b",
            id="a column under two names",
        ),
        pytest.param(
            b"a,b,extra,extra\n1,x,2,3\n",
            "more than one column extra; found: a, b, extra, extra",
            id="a column twice that is not needed",
        ),
        pytest.param(
            b"a,b" + b"," * 1000, "it has 1,002 columns; at most 1,000", id="far too many columns"
        ),
    ],
)
def test_a_file_that_gives_no_rows_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UnusableFileError) as caught:
        read(tmp_path, content)
    assert caught.value.plain_reason == reason
    assert str(caught.value).startswith(f"{tmp_path / 'file.csv'} cannot be used: {reason}")


def test_a_first_line_longer_than_a_block_is_no_header(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="first line is too long"):
        read(tmp_path, b"a,b," + b"x" * 50, block_bytes=16)


def test_a_long_header_is_shown_in_part(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError) as caught:
        read(tmp_path, b"x" * 1000 + b",\x01\n")
    assert "x…): correct" in caught.value.plain_reason
    assert len(caught.value.plain_reason) < 400


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="Is a directory"), open_text_file(tmp_path, AB):
        pass


def test_an_optional_column_is_returned_when_it_is_present(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b" Extra,b,a\n?,x,1\n")
    with open_text_file(path, AB) as file:
        (block,) = file.blocks
    assert file.header == " Extra,b,a"
    assert {name: column.to_pylist() for name, column in block.columns.items()} == {
        "a": ["1"],
        "b": ["x"],
        "extra": ["?"],
    }


def test_a_header_without_rows_is_a_file_with_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, b"a,b\n") == Content([], [], 0, 1)


def test_many_odd_lines_keep_their_numbers(tmp_path: Path) -> None:
    """The parser works through a block in several steps; its row numbers must run through."""
    kinds = [b"%d,x", b"", b"%d", b'"%d,x",y', b'"%d', b"%d,\xff", b"%d,z"]
    lines = [
        kinds[number % 7] % number if kinds[number % 7] else b"" for number in range(2, 70_002)
    ]
    content = read(tmp_path, b"\n".join([b"a,b", *lines]))
    assert content.blocks == 1
    expected = [line for line in range(2, 70_002) if line % 7 in {0, 3, 6}]
    assert [line for line, _, _ in content.rows] == expected
    assert [a.partition(",")[0] for _, a, _ in content.rows] == [str(line) for line in expected]
    assert content.rejected[:4] == [
        (2, "2", "wrong number of fields"),
        (4, '"4', "quotes do not match"),
        (5, "5,\\xff", "not UTF-8"),
        (9, "9", "wrong number of fields"),
    ]
    assert content.rows_read == 60_000


def test_rows_that_a_reader_turns_away_stand_among_the_rejected_lines(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"a,b\n1,x\nbad\n2,y\n3,z\n")
    with open_text_file(path, AB) as file:
        (block,) = file.blocks
    verdict = Verdict(3)
    verdict.reject(np.array([True, False, True]), Reason.NO_STORE_ID)
    verdict.reject(np.array([True, False, False]), Reason.UNKNOWN_STATUS)
    assert block.collect_rejected(verdict) == [
        RejectedRow(2, "1,x", Reason.NO_STORE_ID),
        RejectedRow(3, "bad", Reason.FIELD_COUNT),
        RejectedRow(5, "3,z", Reason.NO_STORE_ID),
    ]
