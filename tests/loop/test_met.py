"""Files that sources must meet, as far as reading them goes."""

from types import SimpleNamespace

import pytest

from everloop.errors import EverloopError
from everloop.loop.met import LARGEST, read_beside

NOWHERE = SimpleNamespace(project=SimpleNamespace(path=None))


@pytest.mark.parametrize(
    ("body", "said"),
    [(b" " * (LARGEST + 1), "has 5.0 MB, and 5 MB is the most"), (b"\xff\xfe", "it is no UTF-8 text"), (None, "No such file"),
     (..., "a directory")],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_is_told_before_it_is_read(tmp_path, body, said):
    file = tmp_path if body is ... else tmp_path / "shop.yaml"
    if isinstance(body, bytes):
        file.write_bytes(body)
    with pytest.raises(EverloopError, match=said):
        read_beside(NOWHERE, str(file))
