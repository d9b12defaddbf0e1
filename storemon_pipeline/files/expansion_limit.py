"""A bound on what a small file may become in memory."""

from pathlib import Path
from typing import Final

from storemon_pipeline.domain.rejections import UnusableFileError

FREE_BYTES: Final = 256 << 20
"""Text that any file may hold, however small it is."""

MAX_RATIO: Final = 250
"""Beyond that, bytes of text for each byte of the file. Polls as real as they come reach 10."""


class ExpansionLimit:
    """Counts the text that comes out of one file."""

    def __init__(self, name: Path | str, file_bytes: int) -> None:
        self._name = name
        self._left = FREE_BYTES + MAX_RATIO * file_bytes

    def add(self, text_bytes: int) -> None:
        """Raise UnusableFileError when the text has become far too long for its file."""
        self._left -= text_bytes
        if self._left < 0:
            raise UnusableFileError(
                self._name, f"its text is more than {MAX_RATIO} times as long as the file"
            )
