from __future__ import annotations

import re

import pytest

from headgate.media.rtsp.login import Credentials, Login

MUFASA = Credentials(user="Mufasa", password="Circle of Life")
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={0},'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",'
    ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def response(header: str | None) -> str:
    found = re.search(r'response="([0-9a-f]+)"', header or "")
    assert found, header
    return found[1]


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_3_9_1(algorithm: str, expected: str) -> None:
    login = Login(MUFASA, make_nonce=lambda: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert login.challenged(RFC_7616.format(algorithm))
    header = login.authorization(method="GET", uri="/dir/index.html")
    assert response(header) == expected
    assert "nc=00000001" in (header or "")
    assert f"algorithm={algorithm}" in (header or "")
    assert "nc=00000002" in (login.authorization(method="GET", uri="/") or "")


def test_without_qop_as_cameras_have_it() -> None:
    login = Login(Credentials(user="Mufasa", password="Circle Of Life"))
    assert login.challenged('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"')
    header = login.authorization(method="GET", uri="/dir/index.html")
    assert response(header) == "670fd8c2df070c60b045671b8b24ff02"  # RFC 2069's example, as corrected
    assert "qop" not in (header or "")


def test_the_best_of_many_is_answered() -> None:
    basic, md5, sha = (
        'Basic realm="a"',
        'Digest realm="a", nonce="n"',
        'Digest realm="a", nonce="n", algorithm=SHA-256',
    )
    for challenges, kind in (
        ([basic], "Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl"),
        ([basic, md5], "Digest "),
        ([sha, md5, basic], "Digest "),
        (["Negotiate", basic], "Basic "),
    ):
        login = Login(MUFASA)
        assert login.challenged(", ".join(challenges)), challenges
        assert (login.authorization(method="DESCRIBE", uri="rtsp://h/") or "").startswith(kind)
    login = Login(MUFASA)
    login.challenged(", ".join([md5, sha, basic]))
    assert "SHA-256" in (login.authorization(method="DESCRIBE", uri="rtsp://h/") or "")


def test_a_wrong_password_is_not_tried_for_ever() -> None:
    login = Login(MUFASA)
    assert login.challenged('Digest realm="a", nonce="one"')
    assert not login.challenged('Digest realm="a", nonce="one"')
    assert login.challenged('Digest realm="a", nonce="one", stale=true')
    assert login.challenged('Digest realm="a", nonce="two"')
    login = Login(MUFASA)
    assert login.challenged('Basic realm="a"')
    assert not login.challenged('Basic realm="a"')


@pytest.mark.parametrize(
    "header", ["", "Bearer x", "Digest", 'Digest algorithm=MD5-sess, nonce="x"', "=,=", '"' * 99]
)
def test_what_cannot_be_answered(header: str) -> None:
    login = Login(MUFASA)
    taken = login.challenged(header)
    assert (taken == header.startswith("Digest") and "sess" not in header) or not taken
    assert Login(None).challenged('Basic realm="a"') is False


def test_quotes_are_escaped_and_secrets_not_shown() -> None:
    secret = Credentials(user='a"b\\', password="s3cr3t")
    login = Login(secret)
    login.challenged('Digest realm="r\\"x", nonce="n"')
    header = login.authorization(method="PLAY", uri="rtsp://h/") or ""
    assert 'username="a\\"b\\\\"' in header
    assert 'realm="r\\"x"' in header
    assert "s3cr3t" not in header + repr(secret)
