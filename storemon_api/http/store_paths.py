"""How a store's id stands in a path: as any text at all, slashes and ends of lines included."""

from typing import Final

from starlette.convertors import PathConvertor, register_url_convertor

STORE_ID: Final = "{store_id:text}"


class _TextConvertor(PathConvertor):
    """As Starlette's `path`, whose dot stops at the end of a line."""

    regex = "(?s:.*)"


register_url_convertor("text", _TextConvertor())
