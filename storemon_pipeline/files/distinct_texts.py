"""Text columns as distinct values, so that each distinct text is parsed only once."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def distinct_texts(text: pa.Array) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Return the distinct trimmed texts (k,) of a string array (n,), and each row's index (n,).

    Null counts as empty text.
    """
    encoded = pc.fill_null(text, "").dictionary_encode()
    trimmed = pc.utf8_trim_whitespace(encoded.dictionary).dictionary_encode()
    number: npt.NDArray[np.int32] = trimmed.indices.to_numpy()[encoded.indices.to_numpy()]
    return trimmed.dictionary.to_pylist(), number
