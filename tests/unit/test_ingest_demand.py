"""Rows of expected sales become rates in hundredths of a currency unit."""

from pathlib import Path

from storemon_pipeline.demand.demand_file import read_demand_file

HEADER = "store_id,weekday,hour,sales_per_hour,currency\n"


def test_sales_are_read_in_hundredths(tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    path.write_text(f"{HEADER}42,0,9,120,USD\n42,6,23,99.5,usd\n7,4,00,0.01,EUR\n")
    read = read_demand_file(path)
    assert read.rejected == ()
    columns = ["store_id", "day_of_week", "hour", "sales_per_hour", "currency", "line"]
    assert read.frame[columns].astype(str).to_numpy().tolist() == [
        ["42", "0", "9", "12000", "USD", "2"],
        ["42", "6", "23", "9950", "USD", "3"],
        ["7", "4", "0", "1", "EUR", "4"],
    ]


def test_a_row_that_cannot_be_read_is_rejected_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    rows = [
        ("7,Mon,9,1,USD", "weekday is not 0 to 6"),
        ("7,7,9,1,USD", "weekday is not 0 to 6"),
        ("7,1,24,1,USD", "hour is not 0 to 23"),
        ("7,1,9:00,1,USD", "hour is not 0 to 23"),
        ("7,1,9,-1,USD", "sales are not an amount with at most 2 decimals"),
        ("7,1,9,1.005,USD", "sales are not an amount with at most 2 decimals"),
        ("7,1,9,,USD", "sales are not an amount with at most 2 decimals"),
        ("7,1,9,1,$", "currency is not a code of 3 letters"),
        (",1,9,1,USD", "no store id"),
    ]
    path.write_text(HEADER + "".join(f"{row}\n" for row, _ in rows))
    read = read_demand_file(path)
    assert [(row.text, row.reason.value) for row in read.rejected] == rows
    assert read.frame.empty
