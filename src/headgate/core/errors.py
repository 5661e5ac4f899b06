"""What can go wrong that an operator or a client must be told, one class for each answer."""

from __future__ import annotations

__all__ = [
    "ConfigurationError",
    "CredentialsMissing",
    "Denied",
    "Draining",
    "HeadgateError",
    "ListenError",
    "LogError",
    "NotFound",
    "NotPermitted",
    "Refused",
    "Unavailable",
]


class HeadgateError(Exception):
    """The root of every error headgate raises on purpose. Its text is fit to be shown."""


class NotFound(HeadgateError):
    """The named path, session, connection or service does not exist."""


class Refused(HeadgateError):
    """The request was understood and cannot be granted in the present state."""


class Draining(HeadgateError):
    """The server takes nobody new, because it is stopping."""


class Denied(HeadgateError):
    """The client may not do this. Its text never says why, so that it tells a stranger nothing."""

    def __init__(self) -> None:
        super().__init__("access denied")


class CredentialsMissing(Denied):
    """As Denied, and the client said nothing about who it is: it may be asked."""


class NotPermitted(Denied):
    """As Denied, and no credentials were guessed: they are right, or have been tried before."""


class Unavailable(Denied):
    """As Denied, because nobody could be asked. What was granted before stays granted."""


class ListenError(HeadgateError):
    """A listener could not be opened. The text names the service, the address and the configuration key."""


class LogError(HeadgateError):
    """The log cannot go where the configuration sends it. The text names the place and the key."""


class ConfigurationError(HeadgateError):
    """A configuration is not usable. `mistakes` has a line for each: file, line, key and what is wrong."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes
