"""Paths in the home folder, and its logs."""

import os
from pathlib import Path

import pytest

from storemon_pipeline.host import home as home_module
from storemon_pipeline.host.errors import HomeError
from storemon_pipeline.host.home import Home, last_error, make_private_folder


def test_sockets_lie_in_the_home_when_their_paths_fit() -> None:
    home = Home(Path("/srv/storemon"))
    assert home.code_server_socket == Path("/srv/storemon/dagster/code.sock")
    assert home.postgres_socket_folder == Path("/srv/storemon/socket")


@pytest.mark.parametrize("name", ["x" * 90, "a b", "a%b", "a,b", "a:b", "é"])
def test_sockets_lie_below_the_temporary_folder_when_no_socket_can_have_the_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")  # noqa: S108 - no file is made
    home = Home(tmp_path / name)
    folders = {home.code_server_socket.parent, home.postgres_socket_folder}
    assert len(folders) == 2
    for folder in folders:
        assert folder.parent == Path("/tmp")  # noqa: S108
        assert folder.name.startswith(f"storemon-{os.geteuid()}-")


def test_a_private_folder_is_closed_even_when_it_was_open(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o755)
    make_private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_in_a_private_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HomeError, match="belongs to someone else"):
        make_private_folder(tmp_path / "folder")


def test_a_log_that_has_grown_large_is_set_aside_while_its_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_module, "LOG_ROTATE_BYTES", 10)
    home = Home(tmp_path)
    home.prepare()
    with home.open_log("api") as log, home.open_log("small") as small:
        log.write(b"0123456789\nbefore\n")
        small.write(b"few\n")
        home.rotate_large_logs()
        log.write(b"after\n")
    assert (home.logs / "api.log.1").read_text() == "0123456789\nbefore\n"
    assert (home.logs / "api.log").read_text() == "after\n"
    assert (home.logs / "small.log").read_text() == "few\n"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        pytest.param(b"", "none", id="silence"),
        pytest.param(
            b"one\ntwo\n\n\xffthree\n \n", "two / \N{REPLACEMENT CHARACTER}three", id="lines"
        ),
        pytest.param(
            b"""\
Traceback (most recent call last):
  File "a.py", line 1
RuntimeError: an earlier one
INFO: started again
Traceback (most recent call last):
  File "a.py", line 1
ImportError: no module named x

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 2
package.errors.LoadError: Error occurred during the loading of
executable_path=python, module_name=a
""",
            "ImportError: no module named x",
            id="chain of exceptions",
        ),
    ],
)
def test_the_last_words_of_a_process_are_the_root_of_its_last_traceback(
    log: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(log)
    assert last_error(path) == words


def test_a_process_without_a_log_has_no_last_error(tmp_path: Path) -> None:
    assert last_error(tmp_path / "none.log") == "none"
