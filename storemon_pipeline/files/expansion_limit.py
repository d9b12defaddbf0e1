"""A limit on how large the text of a compressed file may become in memory."""

from pathlib import Path
from typing import Final

from storemon_pipeline.domain.rejections import UnusableFileError

FREE_BYTES: Final = 256 << 20
"""Bytes of text that are always allowed, however small the file is."""

MAX_RATIO: Final = 250
"""Beyond that, the allowed bytes of text per byte of the file. Real polls reach about 10."""


class ExpansionLimit:
    """Counts the text that is decompressed from one file."""

    def __init__(self, name: Path | str, file_bytes: int) -> None:
        self._name = name
        self._left = FREE_BYTES + MAX_RATIO * file_bytes

    def add(self, text_bytes: int) -> None:
        """Count text. Raises UnusableFileError when it is far too long for the file."""
        self._left -= text_bytes
        if self._left < 0:
            raise UnusableFileError(
                self._name, f"the text is more than {MAX_RATIO} times as long as the file"
            )
