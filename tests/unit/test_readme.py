"""The README names every setting and command, and its files and folders exist."""

import re
from pathlib import Path

import pytest
import typer

from storemon_api.settings import ApiSettings
from storemon_pipeline.commands.cli import app
from storemon_pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = typer.main.get_command(app)
UP = COMMANDS.commands["up"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("field", [*Settings.model_fields, *ApiSettings.model_fields])
def test_every_setting_is_in_the_table_of_settings(field: str) -> None:
    assert f"| `STOREMON_{field.upper()}` |" in README


@pytest.mark.parametrize("option", [option for up in UP.params for option in up.opts])
def test_every_option_of_the_service_is_in_the_table_of_settings(option: str) -> None:
    assert f"| `{option}` |" in README


@pytest.mark.parametrize("command", COMMANDS.commands)  # type: ignore[attr-defined]
def test_every_command_is_named(command: str) -> None:
    assert f"`storemon {command}" in README


@pytest.mark.parametrize(
    "path", re.findall(r"\]\(([^)#:]+)\)|^\| `(?=storemon)([^`]+)` \|", README, re.MULTILINE)
)
def test_every_linked_file_and_folder_exists(path: tuple[str, str]) -> None:
    named = path[0] or path[1]
    if " " not in named:
        assert (ROOT / named).exists()
