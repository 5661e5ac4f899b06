"""Who may do what: users of the configuration, an HTTP server, or tokens decide."""

from headgate.core.auth.access import Access
from headgate.core.auth.grant import Grant
from headgate.core.auth.lease import Leases
from headgate.core.auth.request import Action, Proof, Request

__all__ = ["Access", "Action", "Grant", "Leases", "Proof", "Request"]
