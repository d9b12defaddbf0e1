"""Characters that change the direction of text, made visible for people; data keep them."""

from typing import Final

_CONTROLS: Final = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Unicode's property Bidi_Control: https://www.unicode.org/reports/tr9/#Bidi_Control"""

_SHOWN: Final = {ord(control): f"[U+{ord(control):04X}]" for control in _CONTROLS}


def with_visible_directions(text: str) -> str:
    r"""The text with each such character as its number, so that no name looks like another.

    >>> with_visible_directions("Bar \u202egnp.exe"), with_visible_directions("مطعم")
    ('Bar [U+202E]gnp.exe', 'مطعم')
    """
    return text.translate(_SHOWN)
