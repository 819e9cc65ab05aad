"""Forms with files are looked through, and edited, without touching what they carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.multipart import FIELDS_MAX, Form

TYPE = "multipart/form-data; boundary=xyz"
FILE = b"\x00\xff\r\n--xy\r\n"  # as much of a border as a file may hold


def part(name: str, value: bytes, more: str = "") -> bytes:
    """Return one field as a client writes it."""
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


AUDIO = part("file", FILE, '; filename="a.wav"\r\nContent-Type: audio/wav')
BODY = part("model", b"whisper") + AUDIO + part("prompt", "Grüße".encode()) + part("empty", b"") + b"--xyz--\r\n"


def test_reads_fields() -> None:
    """The text of a field is found by its name; a field that is not there is None."""
    form = Form(BODY, TYPE)

    found = [form.value(name) for name in ("model", "prompt", "empty", "missing")]

    assert found == ["whisper", "Grüße", "", None]
    assert [(field.name, field.is_file) for field in form.fields][1] == ("file", True)


def test_exchanges_a_field() -> None:
    """Another text takes the place of a field's, and every other byte stays."""
    changed = Form(BODY, TYPE).replaced("model", "deep/er")

    assert changed == BODY.replace(b"whisper", b"deep/er")


def test_the_last_of_several_counts_and_all_are_exchanged() -> None:
    """No copy of a field keeps the old text: nobody can tell which one a provider reads."""
    form = Form(part("model", b"a") + part("model", b"b") + b"--xyz--", TYPE)

    assert form.value("model") == "b"
    assert form.replaced("model", "c").count(b"\r\n\r\nc\r\n") == 2


@pytest.mark.parametrize(
    "body",
    [
        b"--xyz--",
        b"--xyz--\r\n",
        b"preamble\r\n--xyz--\r\nepilogue",
    ],
)
def test_an_empty_form_is_one(body: bytes) -> None:
    """A form may have no fields, and words around it."""
    assert Form(body, TYPE).fields == ()


@pytest.mark.parametrize(
    "quoted", ['multipart/form-data; boundary="xyz"', "multipart/form-data; BOUNDARY=xyz; charset=utf-8"]
)
def test_boundaries_are_spelled_in_several_ways(quoted: str) -> None:
    """Quotes, capitals and further parameters make no difference."""
    assert Form(BODY, quoted).value("model") == "whisper"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", TYPE),
        (b"model=whisper", TYPE),
        (BODY, "multipart/form-data"),
        (BODY, "multipart/form-data; boundary=other"),
        (BODY[:-9], TYPE),
        (b"--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xyz--", TYPE),
        (b"--xyz\r\nX-Other: 1\r\n\r\nx\r\n--xyz--", TYPE),
        (b"--xyz\r\nno end of the head", TYPE),
        (b"--xyzzy\r\n\r\n\r\n--xyz--", TYPE),
        (b"--xyz\r\n" + b"x" * 10_000 + b"\r\n\r\n\r\n--xyz--", TYPE),
        (part("a", b"") * (FIELDS_MAX + 1) + b"--xyz--", TYPE),
    ],
)
def test_refuses_what_is_no_form(body: bytes, media_type: str) -> None:
    """What cannot be read as a whole is refused as a whole."""
    with pytest.raises(GatewayError) as caught:
        Form(body, media_type)

    assert caught.value.kind is INVALID_REQUEST


@pytest.mark.parametrize("field", [AUDIO, part("file", b"\xff")])
def test_a_text_must_be_one(field: bytes) -> None:
    """A file where a text belongs, or bytes that are none, are refused by name."""
    form = Form(field + b"--xyz--", TYPE)

    with pytest.raises(GatewayError) as caught:
        form.value("file")

    assert caught.value.param == "file"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=40).filter(lambda data: b"--xyz" not in data))))
def test_every_field_is_found(fields: list[tuple[str, bytes]]) -> None:
    """Whatever bytes the fields hold, each of them is found where it stands."""
    body = b"".join([part(name, value) for name, value in fields]) + b"--xyz--\r\n"

    form = Form(body, TYPE)

    assert [(field.name, body[field.start : field.end]) for field in form.fields] == fields
