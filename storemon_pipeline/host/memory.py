"""How the memory allocator of glibc keeps memory that was freed, for processes of runs.

Runs are short. Giving memory back to the system and asking for it again, page by page, takes a
third of the engine's time.
"""

import ctypes
import sys
from typing import Final

MMAP_THRESHOLD_BYTES: Final = 64 << 20
TRIM_THRESHOLD_BYTES: Final = 256 << 20

# Numbers of malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> None:
    """Set the thresholds of this process and of its forks; elsewhere than in glibc do nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        mallopt(_M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
