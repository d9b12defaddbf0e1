"""The file of a dispute pack: every change of it is noticed."""

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from storemon_pipeline.dispute_packs.pack_file import BrokenPackError, read_pack, write_pack
from storemon_pipeline.dispute_packs.signing_key import (
    SigningKeyError,
    fingerprint,
    public_pem,
    read_public_key,
    signing_key,
)

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
FILES: Final = {"a.json": b"{}", "b.csv": b"x,y\n1,2\n"}
PACK: Final = write_pack({"kind": "test"}, FILES, KEY)


def is_valid(content: bytes) -> bool:
    try:
        read_pack(content)
    except BrokenPackError:
        return False
    return True


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def archive(content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of the form that packs have."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as written:
        for name, data in content.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            info.compress_type = compression
            written.writestr(info, data)
    return file.getvalue()


def test_a_pack_is_read_as_it_was_written() -> None:
    pack = read_pack(PACK, KEY.public_key())
    assert pack.files == FILES
    assert pack.about["kind"] == "test"
    assert archive(members(PACK)) == PACK
    assert write_pack({"kind": "test"}, FILES, KEY) == PACK


def test_a_change_of_any_byte_is_noticed() -> None:
    dice = random.Random(5)  # noqa: S311 - a test's dice
    for place in range(len(PACK)):
        changed = bytearray(PACK)
        changed[place] ^= 1 << dice.randrange(8)
        assert not is_valid(bytes(changed)), place


def test_a_lost_or_an_added_byte_is_noticed() -> None:
    for place in range(0, len(PACK), 7):
        assert not is_valid(PACK[:place]), place
        assert not is_valid(PACK[:place] + PACK[place + 1 :]), place
        assert not is_valid(PACK[:place] + b"x" + PACK[place:]), place
    assert not is_valid(PACK + b"\0")
    assert not is_valid(b"\0" + PACK)


def renamed(files: dict[str, bytes]) -> dict[str, bytes]:
    return {("c.csv" if name == "b.csv" else name): data for name, data in files.items()}


def added(files: dict[str, bytes]) -> dict[str, bytes]:
    return files | {"c.csv": b""}


def removed(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name != "b.csv"}


def reordered(files: dict[str, bytes]) -> dict[str, bytes]:
    return dict(reversed(files.items()))


def replaced(files: dict[str, bytes]) -> dict[str, bytes]:
    return files | {"b.csv": b"x,y\n1,3\n"}


def signed_by_another(files: dict[str, bytes]) -> dict[str, bytes]:
    return files | {"signature.hex": OTHER.sign(files["manifest.json"]).hex().encode()}


def with_another_key(files: dict[str, bytes]) -> dict[str, bytes]:
    return files | {"public-key.pem": public_pem(OTHER.public_key())}


def with_capitals(files: dict[str, bytes]) -> dict[str, bytes]:
    return files | {"signature.hex": files["signature.hex"].upper()}


def with_a_longer_key(files: dict[str, bytes]) -> dict[str, bytes]:
    return files | {"public-key.pem": files["public-key.pem"] + b"\n"}


@pytest.mark.parametrize(
    "change",
    [
        *(renamed, added, removed, reordered, replaced),
        *(signed_by_another, with_another_key, with_capitals, with_a_longer_key),
    ],
)
def test_other_members_are_noticed(
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
) -> None:
    assert not is_valid(archive(change(members(PACK))))


def test_a_compressed_archive_is_no_pack() -> None:
    assert not is_valid(archive(members(PACK), zipfile.ZIP_DEFLATED))


def test_a_pack_that_another_key_signed_is_refused_by_the_key_that_is_given() -> None:
    forged = write_pack({"kind": "test"}, FILES, OTHER)
    assert is_valid(forged)
    with pytest.raises(BrokenPackError, match="the given key"):
        read_pack(forged, KEY.public_key())


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "signing-key.pem"
    made = signing_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_pem(signing_key(path).public_key()) == public_pem(made.public_key())
    assert [file.name for file in path.parent.iterdir()] == ["signing-key.pem"]
    public = read_public_key(public_pem(made.public_key()))
    assert len(fingerprint(public).replace(" ", "")) == 64
    path.write_text("no key")
    with pytest.raises(SigningKeyError, match="cannot be used"):
        signing_key(path)
