from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headgate.core.certificate import SIZE_LIMIT
from headgate.core.errors import ListenError
from tests.core.authority import DAY, Authority, files_in


def test_what_the_files_have(tmp_path: Path) -> None:
    pair = Authority().issue()
    pair.write(tmp_path)
    certificate = files_in(tmp_path).read()
    assert (certificate.chain, certificate.key) == (pair.chain, pair.key)
    assert certificate.trouble(datetime.now(UTC)) is None
    assert pair.key.decode() not in repr(certificate)


@pytest.mark.parametrize(
    ("not_before", "not_after", "trouble"),
    [
        (-DAY, -timedelta(minutes=1), "the certificate has expired on"),
        (timedelta(minutes=1), DAY, "the certificate is not valid before"),
    ],
)
def test_its_time(tmp_path: Path, not_before: timedelta, not_after: timedelta, trouble: str) -> None:
    Authority().issue(not_before=not_before, not_after=not_after).write(tmp_path)
    assert (files_in(tmp_path).read().trouble(datetime.now(UTC)) or "").startswith(trouble)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.95])
def test_half_a_file_is_none(tmp_path: Path, part: float) -> None:
    pair = Authority().issue()
    pair.write(tmp_path)
    (tmp_path / "server.crt").write_bytes(pair.chain[: int(len(pair.chain) * part)])
    with pytest.raises(ListenError, match=r"^RTSPS: no certificate in .*server.crt \(rtspServerCert\)$"):
        files_in(tmp_path).read()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    Authority().issue().write(tmp_path)
    (tmp_path / "server.key").unlink()
    with pytest.raises(ListenError, match=r"cannot read .*server.key \(rtspServerKey\): No such file"):
        files_in(tmp_path).read()
    (tmp_path / "server.crt").write_bytes(bytes(SIZE_LIMIT + 1))
    with pytest.raises(ListenError, match=r"server.crt \(rtspServerCert\) is larger"):
        files_in(tmp_path).read()
