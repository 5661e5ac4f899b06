from __future__ import annotations

from headgate.core.webhooks.signature import sign


def test_a_known_signature() -> None:
    # printf '1700000000.{"id":1}' | openssl dgst -sha256 -hmac sixteen-characters
    assert sign(b'{"id":1}', secret="sixteen-characters", at=1700000000) == KNOWN


def test_everything_is_signed() -> None:
    signatures = {
        sign(b"body", secret="one", at=1),
        sign(b"body", secret="one", at=2),
        sign(b"body", secret="two", at=1),
        sign(b"bodY", secret="one", at=1),
    }
    assert len({signature.partition("v1=")[2] for signature in signatures}) == 4


KNOWN = "t=1700000000,v1=318d4c7a64d222a3e965e8dd95231bbb102d36d564c93ab3480fff42dcdc21df"
