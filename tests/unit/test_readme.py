"""The README is short, and begins with the two commands."""

from documents import ROOT, commands, fences

README = ROOT / "README.md"


def test_the_readme_is_read_in_two_minutes() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_the_two_commands_come_first() -> None:
    assert fences(README, "sh")[:2] == [
        "pip install -c constraints.txt -e . && storemon up\n",
        "pip install -c constraints.txt -e '.[dev]' && pytest\n",
    ]


def test_one_example_triggers_polls_and_downloads() -> None:
    addresses = [command.argv[-1] for command in commands(README) if command.argv[0] == "curl"]
    assert addresses == [
        "localhost:8000/trigger_report",
        "localhost:8000/get_report/ID",
        "localhost:8000/reports/ID.csv",
    ]
