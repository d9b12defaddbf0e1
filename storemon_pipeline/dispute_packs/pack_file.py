"""The file of a pack: members in one order, their hashes in a chain, and a signature.

The file is a zip archive that can be written in one way only. Reading compares it with that, so
that no byte of it can change unnoticed, wherever it is.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from storemon_pipeline.dispute_packs.signing_key import public_pem, read_public_key

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "signature.hex"
PUBLIC_KEY: Final = "public-key.pem"
FORMAT: Final = "storemon-dispute-pack/1"
STOREFRONTS_FORMAT: Final = "storemon-dispute-pack/2"
"""That of packs with storefronts. Other packs keep the first one, which every version reads."""

_FIRST: Final = "0" * 64
"""What the chain of hashes begins with."""

_OLDEST: Final = (1980, 1, 1, 0, 0, 0)
"""The time of each member; a zip archive has no older one."""

LARGEST: Final = 256 * 1024 * 1024
"""Bytes; a larger file is refused before it is read."""


class BrokenPackError(Exception):
    """The file is not a pack, or not as it was signed; says why."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The content of a pack that is as it was signed."""

    about: dict[str, Any]
    """What the manifest says of the pack, beside its files."""
    files: dict[str, bytes]
    public_key: Ed25519PublicKey


def write_pack(about: dict[str, Any], files: Mapping[str, bytes], key: Ed25519PrivateKey) -> bytes:
    """The file of a pack; `about` may name another format than the first."""
    manifest = {"format": FORMAT, **about, "files": _chain(files)}
    text = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
    return _archive(
        {
            MANIFEST: text,
            SIGNATURE: key.sign(text).hex().encode(),
            PUBLIC_KEY: public_pem(key.public_key()),
            **files,
        }
    )


def read_pack(content: bytes, public_key: Ed25519PublicKey | None = None) -> Pack:
    """The pack of a file, signed by this key or, without one, by its own.

    Raises BrokenPackError.
    """
    members = _members(content)
    try:
        text, signature = members.pop(MANIFEST), members.pop(SIGNATURE)
        pem = members.pop(PUBLIC_KEY)
        own = read_public_key(pem)
    except KeyError as error:
        raise BrokenPackError(f"{error.args[0]} is missing") from error
    except ValueError as error:
        raise BrokenPackError("public-key.pem is not an Ed25519 key") from error
    key = public_key or own
    whose = "the given key" if public_key is not None else "the key in it"
    try:
        raw = bytes.fromhex(signature.decode("ascii", "replace"))
        key.verify(raw, text)
    except (InvalidSignature, ValueError) as error:
        raise BrokenPackError(f"the signature is not by {whose}") from error
    # Other texts of the same signature or key would do as well.
    if signature != raw.hex().encode() or pem != public_pem(key):
        raise BrokenPackError("the signature or public-key.pem was changed")
    manifest = json.loads(text)
    if manifest.get("format") not in {FORMAT, STOREFRONTS_FORMAT}:
        raise BrokenPackError(
            f"its format is neither {FORMAT} nor {STOREFRONTS_FORMAT}: verify it with a newer "
            "storemon"
        )
    listed = manifest.pop("files")
    if [one["name"] for one in listed] != list(members):
        raise BrokenPackError("its files are not those of the manifest, in their order")
    for expected, found in zip(listed, _chain(members), strict=True):
        if expected != found:
            raise BrokenPackError(f"{found['name']} was changed: its SHA-256 is another")
    return Pack(manifest, members, key)


def _chain(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Name, size and SHA-256 of each file; `chain` is that of the chain before, name and hash."""
    rows: list[dict[str, Any]] = []
    before = _FIRST
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        before = hashlib.sha256(f"{before}\n{name}\n{digest}".encode()).hexdigest()
        rows.append({"name": name, "bytes": len(content), "sha256": digest, "chain": before})
    return rows


def _archive(members: Mapping[str, bytes]) -> bytes:
    """A zip archive; equal members give equal bytes, whatever machine writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(_info(name), content)
    return file.getvalue()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _OLDEST)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _members(content: bytes) -> dict[str, bytes]:
    """The members of an archive that is as `_archive` writes it."""
    if len(content) > LARGEST:
        raise BrokenPackError(f"it is larger than {LARGEST} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # A compressed member may be larger than all memory; no pack has one.
            members = {
                info.filename: archive.read(info)
                for info in archive.infolist()
                if info.compress_type == zipfile.ZIP_STORED
            }
    # A damaged archive makes the reader fail in many ways.
    except Exception as error:
        raise BrokenPackError("it is not a whole zip archive") from error
    if _archive(members) != content:
        raise BrokenPackError("bytes outside of its files were changed")
    return members
