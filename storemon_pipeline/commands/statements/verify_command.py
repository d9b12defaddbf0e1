"""The command `verify`."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from pathlib import Path
from typing import Annotated

import typer

from storemon_pipeline.commands.options import one_line_errors
from storemon_pipeline.domain.rejections import printable
from storemon_pipeline.domain.text_directions import with_visible_directions
from storemon_pipeline.host.errors import ServiceError


def verify(
    file: Annotated[Path, typer.Argument(help="A dispute pack.")],
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            help="The service's key, as PEM; without it the pack is checked against its own.",
        ),
    ] = None,
) -> None:
    """Check a dispute pack, and compute its figures again; exit status 1 if anything differs."""
    with one_line_errors():
        from storemon_pipeline.dispute_packs.pack_file import (
            LARGEST,
            BrokenPackError,
            read_pack,
        )
        from storemon_pipeline.dispute_packs.signing_key import fingerprint, read_public_key
        from storemon_pipeline.dispute_packs.verify_pack import verify as findings_of

        try:
            key = None if public_key is None else read_public_key(public_key.read_bytes())
            with file.open("rb") as opened:
                content = opened.read(LARGEST + 1)
        except OSError as error:
            raise ServiceError(f"{error.filename} cannot be read ({error.strerror}).") from error
        except ValueError as error:
            raise ServiceError(f"{public_key} cannot be read ({error}).") from error
        try:
            pack = read_pack(content, key)
        except BrokenPackError as error:
            raise ServiceError(f"NOT VALID: {error}.") from error
        about = {name: value for name, value in pack.about.items() if value is not None}
        facts = ", ".join(f"{name}: {value}" for name, value in about.items())
        typer.echo(_shown(facts))
        typer.echo(f"ok    signature and {len(pack.files)} hashes are right")
        findings = findings_of(pack)
        for one in findings:
            typer.echo(f"{'ok  ' if one.is_right else 'WRONG'}  {_shown(one.text)}")
        typer.echo(f"key   {fingerprint(pack.public_key)}")
        if key is None:
            typer.echo("note  this is the key in the pack: compare it with the service's own")
        wrong = sum(not one.is_right for one in findings)
        if wrong:
            raise ServiceError(f"NOT VALID: {wrong} of {len(findings)} checks failed.")
        typer.echo("VALID")


def _shown(text: str) -> str:
    """The text as one line, in which nothing can look like another."""
    return printable(with_visible_directions(text))
