"""Verifying dispute packs by the command, and changing what is in them."""

import gzip
from pathlib import Path

from typer.testing import CliRunner

from storemon_pipeline.commands.cli import app
from storemon_pipeline.dispute_packs.pack_file import read_pack, write_pack
from storemon_pipeline.dispute_packs.signing_key import signing_key


def verify(content: bytes, folder: Path, *options: str) -> tuple[int, str]:
    """Return exit status and output of the command."""
    file = folder / "pack.zip"
    file.write_bytes(content)
    result = CliRunner().invoke(app, ["verify", str(file), *options])
    return result.exit_code, result.output


def forged(content: bytes, name: str, old: str, new: str, *, key: Path) -> bytes:
    """Return a pack with a text in one of its files replaced once, signed with the key again."""
    pack = read_pack(content)
    file = pack.files[name]
    text = (gzip.decompress(file) if name.endswith(".gz") else file).decode()
    assert old in text
    changed = text.replace(old, new, 1).encode()
    files = pack.files | {name: gzip.compress(changed) if name.endswith(".gz") else changed}
    return write_pack(pack.about, files, signing_key(key))
