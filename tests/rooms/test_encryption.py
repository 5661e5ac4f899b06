"""What HTTPS is with."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from headgate.core.config.rooms_conf import RoomsConf
from headgate.core.errors import ListenError
from headgate.rooms.encryption import Wanted
from tests.core.authority import Authority, Pair


def wanted(directory: Path, **users: object) -> Wanted:
    settings = {
        "encryption": True,
        "serverCert": str(directory / "server.crt"),
        "serverKey": str(directory / "server.key"),
        "users": {"enabled": True, "mode": "certificate", **users} if users else {},
    }
    found = Wanted.of(RoomsConf.model_validate(settings))
    assert found is not None
    return found


def test_nothing_is_wanted_where_it_is_off() -> None:
    assert Wanted.of(RoomsConf()) is None


def test_what_was_read_is_served_whatever_the_files_are_by_then(tmp_path: Path) -> None:
    Authority().issue().write(tmp_path)
    certificate = wanted(tmp_path).files.read()
    for name in ("server.crt", "server.key"):
        (tmp_path / name).write_text("something else")
    assert wanted(tmp_path).under(certificate).certificate is certificate


def locked(key: bytes) -> bytes:
    """With a password, for which OpenSSL would ask at the terminal."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    password = serialization.BestAvailableEncryption(b"tea")
    return load_pem_private_key(key, None).private_bytes(*form, password)


def test_what_is_of_no_use(tmp_path: Path) -> None:
    authority = Authority()
    one, other = authority.issue(), authority.issue()
    for pair in (
        Pair(one.chain, other.key, 0),
        Pair(one.chain, locked(one.key), 0),
        Pair(one.chain, b"", 0),
        Pair(b"", one.key, 0),
    ):
        pair.write(tmp_path)
        with pytest.raises(ListenError, match=r"rooms\.serverCert"):
            wanted(tmp_path).read()


def test_an_authority_that_is_none(tmp_path: Path) -> None:
    Authority().issue().write(tmp_path)
    for authority in (tmp_path / "nothing", tmp_path / "server.key"):
        with pytest.raises(ListenError, match="certificateCertificate"):
            wanted(tmp_path, certificateCertificate=str(authority)).read()
