"""What follows the beginning of a form that is handed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.multipart import FIELDS_MAX, Form, FormTail

MEDIA = "multipart/form-data; boundary=x"


def field(name: str, value: bytes, more: str = "") -> bytes:
    """Return one field with the border before it."""
    return b'\r\n--x\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b' % (name.encode(), more.encode(), value)


END = b"\r\n--x--\r\n"
HARMLESS = bytes(5000) + field("language", b"en") + field("image", b'name="model"\r\n\r\n', '; filename="a"') + END
SECOND = bytes(50) + field("language", b"en") + field("model", b"other") + END


def looked(data: bytes, size: int) -> None:
    """Look at data in pieces of a size."""
    tail = FormTail(MEDIA)
    for start in range(0, len(data), size):
        tail.look(data[start : start + size])


@given(st.integers(1, 300))
def test_other_fields_pass(size: int) -> None:
    """However a form is cut, fields with other names and the contents of files are nobody's business."""
    looked(HARMLESS, size)


@given(st.integers(1, 300))
def test_a_second_model_is_found(size: int) -> None:
    """However a form is cut, a second model is found."""
    with pytest.raises(GatewayError) as caught:
        looked(SECOND, size)

    assert (caught.value.kind, caught.value.param) == (INVALID_REQUEST, "model")


@pytest.mark.parametrize("size", [1, 64, 100_000])
def test_a_head_without_an_end(size: int) -> None:
    """It is not waited for without a bound."""
    with pytest.raises(GatewayError, match="too long a head"):
        looked(b"\r\n--x\r\n" + b"a" * 20_000, size)


def test_a_field_without_a_name() -> None:
    """It is no form."""
    with pytest.raises(GatewayError, match="no name"):
        looked(b"\r\n--x\r\na: b\r\n\r\n", 1000)


@given(st.integers(0, 400))
def test_the_beginning_of_a_form(size: int) -> None:
    """Of what has come, the complete fields before the first file are read."""
    whole = (field("model", b"m") + field("file", b"abc" * 50, '; filename="a"') + field("late", b"1") + END)[2:]

    form = Form(whole[:size], MEDIA, begun=True)

    assert [each.name for each in form.fields] in ([], ["model"])
    assert form.file_start is None or whole[form.file_start :].startswith(b"abc")
    assert (form.file_start is None) == (size < whole.index(b"abc"))
    assert form.value("model") == ("m" if form.fields else None)


def test_the_beginning_of_what_is_no_form() -> None:
    """Nothing is found in it; too many fields are not looked at."""
    assert Form(b"garbage", MEDIA, begun=True).fields == ()
    assert Form(b"--x garbage\r\n\r\n", MEDIA, begun=True).fields == ()
    assert len(Form((field("a", b"") * 100)[2:], MEDIA, begun=True).fields) == FIELDS_MAX
