"""Fingerprints of the beginning of a file, at a cost that does not grow with the file."""

import hashlib
from typing import BinaryIO, Final

WHOLE_BYTES: Final = 16 << 20
"""Up to this size every byte is hashed."""

_SAMPLES: Final = 64
_SAMPLE_BYTES: Final = WHOLE_BYTES // _SAMPLES
_READ_BYTES: Final = 1 << 20
_SAMPLED: Final = "sampled:"


def fingerprint(stream: BinaryIO, size: int) -> str:
    """A digest of the first `size` bytes of a seekable stream.

    Above WHOLE_BYTES that many bytes are hashed in evenly spread samples, including the first and
    the last bytes. Inserted, deleted or appended bytes change the digest; overwritten bytes may go
    undetected.
    """
    digest = hashlib.sha256()
    if size <= WHOLE_BYTES:
        _add(digest, stream, 0, size)
        return digest.hexdigest()
    for number in range(_SAMPLES):
        start = number * (size - _SAMPLE_BYTES) // (_SAMPLES - 1)
        _add(digest, stream, start, _SAMPLE_BYTES)
    return _SAMPLED + digest.hexdigest()


def covers_every_byte(digest: str) -> bool:
    """Whether equal fingerprints prove that nothing has changed."""
    return not digest.startswith(_SAMPLED)


def _add(digest: "hashlib._Hash", stream: BinaryIO, start: int, size: int) -> None:
    stream.seek(start)
    while size > 0 and (block := stream.read(min(size, _READ_BYTES))):
        digest.update(block)
        size -= len(block)
