from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.auth.authorization import Algorithm, Basic, Bearer, Digest, DigestProof, parse


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_basic_and_bearer() -> None:
    assert parse(f"Basic {encoded('bob:pa:ss')}") == Basic("bob", "pa:ss")
    assert parse(f"bAsIc  {encoded('bjørn:')}") == Basic("bjørn", "")
    assert parse("Bearer a.b.c") == Bearer("a.b.c")
    assert "secret" not in repr(parse(f"Basic {encoded('bob:secret')}"))


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        (Algorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm.SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm: Algorithm, response: str) -> None:
    """3.9.1."""
    digest = parse(
        'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", '
        f"algorithm={algorithm}, "
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
        'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, '
        f'response="{response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    assert isinstance(digest, Digest)
    proof = DigestProof(digest=digest, method="GET")
    assert proof.proves(password="Circle of Life")
    assert not proof.proves(password="circle of life")


def test_the_older_form() -> None:
    """RFC 2617's arithmetic without qop, as cameras and GStreamer send it."""
    digest = parse('Digest username="a", realm="r", nonce="n", uri="/", response="00", opaque=""')
    assert isinstance(digest, Digest)
    assert (digest.algorithm, digest.qop, digest.count) == (Algorithm.MD5, "", 0)


GOOD = 'username="a", realm="r", nonce="n", uri="/", response="00"'


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        f"Basic {encoded('nocolon')}",
        "Basic /w==",
        "Bearer ",
        "Negotiate x",
        "Digest",
        'Digest username="a"',
        f'Digest {GOOD}, username="b"',
        f"Digest {GOOD}, qop=auth-int, nc=00000001, cnonce=x",
        f"Digest {GOOD}, qop=auth, nc=1, cnonce=x",
        f"Digest {GOOD}, qop=auth, nc=00000001",
        f"Digest {GOOD}, algorithm=MD5-sess",
        f"Digest {GOOD}, =",
        f"Digest {GOOD}".replace("00", "é"),
        "Digest " + "a=b," * 10_000,
    ],
)
def test_what_cannot_be_understood(header: str) -> None:
    assert parse(header) is None


@given(st.sampled_from(["Basic ", "Bearer ", "Digest ", ""]), st.text())
def test_no_header_is_too_strange(scheme: str, rest: str) -> None:
    parse(scheme + rest)
