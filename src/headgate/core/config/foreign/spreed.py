"""From Spreed WebRTC's server.conf to the section `rooms`."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from headgate.core.config.loader import mistake_text
from headgate.core.config.rooms_conf import RoomsConf

__all__ = ["Imported", "looks_like_server_conf", "read_server_conf"]

REMARK_LENGTH = 200  # characters
SECTIONS = re.compile(r"^\s*\[(?:app|http|https|users|modules|roomtypes)\]", re.MULTILINE | re.IGNORECASE)


@dataclass(slots=True)
class Imported:
    """`rooms` is the section as it would be written; `remarks` is what somebody should look at."""

    rooms: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def put(self, key: str, *, value: Any) -> None:
        section, _, name = key.rpartition(".")
        target = self.rooms.setdefault(section, {}) if section else self.rooms
        target[name] = value

    def text(self) -> str:
        """A configuration file, with a comment for each remark."""
        out = StringIO()
        out.write("# From a server.conf of Spreed WebRTC. It may have secrets in it.\n")
        yaml = YAML(typ="rt")
        yaml.width = 4096
        yaml.dump({"rooms": self.rooms}, out)
        if self.remarks:
            out.write("\n# Not carried over, or different here:\n")
            out.writelines(f"# - {_printable(remark)}\n" for remark in self.remarks)
        return out.getvalue()


def looks_like_server_conf(text: str) -> bool:
    """Whether it has sections that only that server's file has."""
    return SECTIONS.search(text) is not None


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:REMARK_LENGTH])


def _switch(text: str) -> bool:
    return text.lower() in {"true", "yes", "on", "1", "t"}


def _list(text: str) -> list[str]:
    return list(dict.fromkeys(text.split()))


Reader = Callable[[str], Any]
OPTIONS: Mapping[tuple[str, str], tuple[str, Reader]] = {
    ("http", "listen"): ("address", str),
    ("http", "basepath"): ("basePath", str),
    ("http", "stats"): ("stats", _switch),
    ("https", "certificate"): ("serverCert", str),
    ("https", "key"): ("serverKey", str),
    ("app", "title"): ("title", str),
    ("app", "stunuris"): ("stunURIs", _list),
    ("app", "turnuris"): ("turnURIs", _list),
    ("app", "turnsecret"): ("turnSecret", str),
    ("app", "renegotiation"): ("renegotiation", _switch),
    ("app", "sessionsecret"): ("sessionSecret", str),
    ("app", "encryptionsecret"): ("encryptionSecret", str),
    ("app", "tokenfile"): ("tokenFile", str),
    ("app", "globalroom"): ("globalRoom", str),
    ("app", "defaultroomenabled"): ("defaultRoomEnabled", _switch),
    ("app", "authorizeroomjoin"): ("authorizeRoomJoin", _switch),
    ("app", "authorizeroomcreation"): ("authorizeRoomCreation", _switch),
    ("app", "servertoken"): ("serverToken", str),
    ("app", "serverrealm"): ("serverRealm", str),
    ("app", "contentsecuritypolicy"): ("contentSecurityPolicy", str),
    ("app", "contentsecuritypolicyreportonly"): ("contentSecurityPolicyReportOnly", str),
    ("modules", "screensharing"): ("modules.screensharing", _switch),
    ("modules", "youtube"): ("modules.youtube", _switch),
    ("modules", "presentation"): ("modules.presentation", _switch),
    ("modules", "contacts"): ("modules.contacts", _switch),
    ("users", "enabled"): ("users.enabled", _switch),
    ("users", "mode"): ("users.mode", str),
    ("users", "sharedsecret_secret"): ("users.sharedsecretSecret", str),
    ("users", "httpheader_header"): ("users.httpheaderHeader", str),
    ("users", "certificate_certificate"): ("users.certificateCertificate", str),
    ("users", "certificate_verifiedheader"): ("users.certificateVerifiedHeader", str),
    ("users", "certificate_verifiedheadervalue"): ("users.certificateVerifiedHeaderValue", str),
    ("users", "certificate_certificateheader"): ("users.certificateCertificateHeader", str),
    ("users", "allowregistration"): ("users.allowRegistration", _switch),
}
NEEDLESS = {
    ("http", "root"): "the page's files are part of headgate",
    ("http", "readtimeout"): "a request must come within 10 s",
    ("http", "writetimeout"): "a client must take something within 10 s",
    ("http", "maxfd"): "all descriptors that may be had are used",
    ("https", "readtimeout"): "a request must come within 10 s",
    ("https", "writetimeout"): "a client must take something within 10 s",
    ("https", "minversion"): "TLS 1.2 is the least",
    ("app", "ver"): "files of the page are named after what is in them",
}


def read_server_conf(text: str) -> Imported:
    """Raises ValueError when it is no such file."""
    parser = configparser.ConfigParser(
        interpolation=None, comment_prefixes=(";", "#"), inline_comment_prefixes=(" ;",), strict=False
    )
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(f"this is no server.conf: {str(error).splitlines()[0]}") from None
    imported = Imported()
    for section in parser.sections():
        for option, raw in parser.items(section):
            _take(imported, section.lower(), option, raw.strip().strip('"'), given=parser)
    _check(imported)
    return imported


def _take(
    imported: Imported, section: str, option: str, value: str, *, given: configparser.ConfigParser
) -> None:
    where = f"[{section}] {option}"
    if section == "roomtypes":
        imported.rooms.setdefault("roomTypes", {})[option] = value
    elif (section, option) == ("https", "listen"):
        imported.put("encryption", value=True)
        imported.put("address", value=value)
        if given.has_option("http", "listen"):
            imported.remarks.append(f"{where}: there is one listener; [http] listen is dropped")
    elif (section, option) == ("http", "listen") and given.has_option("https", "listen"):
        return
    elif (section, option) in OPTIONS:
        key, read = OPTIONS[section, option]
        imported.put(key, value=read(value))
    else:
        reason = NEEDLESS.get((section, option), "has no meaning here")
        imported.remarks.append(f"{where}: dropped ({reason})")


def _check(imported: Imported) -> None:
    """Drop what does not fit, with a remark for each."""
    while True:
        try:
            RoomsConf.model_validate(imported.rooms, by_alias=True, by_name=False)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = [str(part) for part in first["loc"]]
            # What is wrong between keys is for whoever reads the remark.
            if not place:
                imported.remarks.append(f"rooms: {mistake_text(first)}")
                return
            imported.remarks.append(f"rooms.{'.'.join(place)}: dropped ({mistake_text(first)})")
            _drop(imported.rooms, place)
        else:
            return


def _drop(section: dict[str, Any], place: list[str]) -> None:
    inner = section.get(place[0])
    if len(place) > 1 and isinstance(inner, dict) and place[1] in inner:
        del inner[place[1]]
    else:
        section.pop(place[0], None)
