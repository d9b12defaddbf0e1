"""Path parameter for store ids: any text, including slashes and line breaks."""

from typing import Final

from starlette.convertors import PathConvertor, register_url_convertor

STORE_ID: Final = "{store_id:text}"


class _TextConvertor(PathConvertor):
    """Starlette's `path` convertor, but matching line breaks too."""

    regex = "(?s:.*)"


register_url_convertor("text", _TextConvertor())
