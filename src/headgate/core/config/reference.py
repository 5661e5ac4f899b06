"""docs/configuration.md, written from the model.

`python -m headgate.core.config.reference docs/configuration.md` writes it; a test holds the file to it.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from headgate.core.config.configuration import Applications
from headgate.core.config.durations import Duration
from headgate.core.config.effect import (
    EFFECTIVE_GLOBAL,
    EFFECTIVE_PATH,
    EFFECTIVE_TURN,
    FETCHED,
    UNSAFE_GLOBAL,
    UNSAFE_PATH,
)
from headgate.core.config.former_keys import FORMER_GLOBAL, FORMER_PATH, Former
from headgate.core.config.global_conf import Address, GlobalConf, IceServer
from headgate.core.config.networks import Networks
from headgate.core.config.own_conf import OwnConf, Webhook
from headgate.core.config.path_conf import PathConf
from headgate.core.config.rooms_conf import RoomsConf, RoomsModules, RoomsUsers
from headgate.core.config.scalars import HttpEncryption, Real, Switch, Whole
from headgate.core.config.section import Section
from headgate.core.config.sizes import Size, SizeLimit
from headgate.core.config.turn_conf import (
    TurnConf,
    TurnInterface,
    TurnPeers,
    TurnQuotas,
    TurnRelayAddress,
)
from headgate.core.config.users import AuthInternalUser, AuthInternalUserPermission

__all__ = ["reference"]

INTRODUCTION = """\
# Configuration

<!-- Written by `python -m headgate.core.config.reference docs/configuration.md`. Do not edit by hand. -->

headgate runs without a configuration. A file changes what it says and leaves the rest at the defaults
below; its form is that of a `mediamtx.yml` (release 1.12.3), and such a file can be used as it is.
`headgate check FILE` tells every mistake at once, with file, line and key. It can be changed while the
server runs: [Changing the configuration](reconfiguration.md).

## Where it comes from

`headgate run FILE` reads that file. Without FILE the first of these is read, if there is one:

1. `headgate.yml` in the working directory
2. `mediamtx.yml` in the working directory
3. `headgate/headgate.yml` in the user's configuration directory (`$XDG_CONFIG_HOME`, else `~/.config`)
4. `/etc/headgate/headgate.yml`

Then the environment is laid over it. `HEADGATE_` and the key in capitals; `MTX_` works too, and gives way
to `HEADGATE_`:

| Variable | Sets |
| --- | --- |
| `HEADGATE_READTIMEOUT=30s` | `readTimeout` |
| `HEADGATE_RTSPTRANSPORTS=tcp,udp` | a list; an empty value is an empty list |
| `HEADGATE_WEBRTCICESERVERS2_0_URL=stun:stun.example.org` | one key of one item; items count from 0 |
| `HEADGATE_PATHDEFAULTS_MAXREADERS=10` | `pathDefaults.maxReaders` |
| `HEADGATE_PATHS_CAM_1_MAXREADERS=2` | `paths.cam_1.maxReaders`; names are taken in lower case |
| `HEADGATE_PATHS_CAM2=` | the path `cam2`, as the defaults are |
| `HEADGATE_APPLICATIONS_ACCESSTOKEN=…` | `applications.accessToken` |

A `HEADGATE_` variable that names no key is a mistake, an `MTX_` one a warning. `HEADGATE_STATE_DIR`, a
`HEADGATE_API` that is a URL (for `headgate sessions` and `headgate kick`), and what Kubernetes sets for a
service called headgate are no keys.

## How values are written

- **duration**: `10s`, `1m30s`, `200ms`, `1h`, with days in front `1d12h`. Units: `ns us ms s m h`. Zero:
  `0s`.
- **size**: `50M`, `512K`, `1.5G`; units are powers of 1024.
- **yes/no**: `yes no true false on off`.
- **networks**: addresses and CIDR blocks, `127.0.0.1`, `10.0.0.0/8`, `::1`.
- **address**: `:8554` (every interface, IPv4 and IPv6), `127.0.0.1:8554`, `[::1]:8554`, `localhost:8554`;
  port 0 is any free one.
- An empty value (`key:`) is as if the key were not there.

The last column tells whether a key has an effect in this version. Keys marked *not yet* are checked and
kept, and shown by the API; `headgate check` and `headgate run` warn when one is set. With a key marked
**refused** headgate does not start, because somebody would believe to be protected by it.
"""

PATHS = """\
## `paths`

Path names and what differs from `pathDefaults` for each:

```yaml
paths:
  cam1:
    maxReaders: 10
  ~^studio/(.+)$:
    overridePublisher: no
  all_others:
```

A client's path is looked up by its exact name, then among the regular expressions (names that begin with
`~`) in name order; `all_others` (also `all`, or `~^.*$`; only one of them) comes last. A path nobody
configured does not exist. Without any `paths` the configuration has `all_others`: anybody may publish
anywhere. Naming one path, in the file or the environment, replaces that.

Names have letters, digits and `_ - . ~ : /`, at most 255 of them, no slash at either end and no segment
`.` or `..`. Regular expressions are those of Go and Rust: no look-around, no back-references.
"""

FORMER = """\
## Keys of other MediaMTX releases

These are taken for the key beside them; a deprecated one with a warning. Keys of later releases that have
no counterpart are taken at their default only.
"""

NETWORK = get_args(get_args(Networks)[0])[0]
# By the validator that tells the kind; the first that a field has.
KINDS = (
    (Duration, "duration"),
    (Size, "size"),
    (SizeLimit, "size"),
    (Switch, "yes/no"),
    (HttpEncryption, "yes/no"),
    (Whole, "whole number"),
    (Real, "number"),
    (Address, "address"),
)


def reference() -> str:
    """The whole document."""
    parts = [
        INTRODUCTION,
        "## Top level\n",
        _table(GlobalConf, EFFECTIVE_GLOBAL, UNSAFE_GLOBAL),
        "Keys that MediaMTX does not have, and that its control API does not show:\n",
        _table(OwnConf, OwnConf.names(), ()),
        "### An item of `webhooks`\n",
        _table(Webhook, Webhook.names(), ()),
        "### `rooms`\n",
        _table(RoomsConf, RoomsConf.names(), ()),
        "### `rooms.modules`\n",
        _table(RoomsModules, RoomsModules.names(), ()),
        "### `rooms.users`\n",
        _table(RoomsUsers, RoomsUsers.names(), ()),
        "### `turn`\n",
        _table(TurnConf, EFFECTIVE_TURN, ()),
        "### An item of `turn.interfaces`\n",
        _table(TurnInterface, TurnInterface.names(), ()),
        "### An item of `turn.relayAddresses`\n",
        _table(TurnRelayAddress, TurnRelayAddress.names(), ()),
        "### `turn.peers`\n",
        _table(TurnPeers, TurnPeers.names(), ()),
        "### `turn.quotas`\n",
        _table(TurnQuotas, TurnQuotas.names(), ()),
        "### An item of `authInternalUsers`\n",
        _table(AuthInternalUser, (), AuthInternalUser.names()),
        "### An item of `permissions`, `authHTTPExclude`, `authJWTExclude`\n",
        _table(AuthInternalUserPermission, (), AuthInternalUserPermission.names()),
        "### An item of `webrtcICEServers2`\n",
        _table(IceServer, (), ()),
        "## `pathDefaults`, and each of `paths`\n",
        _table(PathConf, EFFECTIVE_PATH, UNSAFE_PATH),
        PATHS,
        "## `applications`\n",
        _table(Applications, Applications.names(), ()),
        FORMER,
        _former_table(FORMER_GLOBAL),
        "In `pathDefaults` and `paths`:\n",
        _former_table(FORMER_PATH),
    ]
    return "\n".join(parts)


def _table(section: type[Section], effective: Collection[str], refused: Collection[str]) -> str:
    lines = ["| Key | Value | Default | Meaning | Effect |", "| --- | --- | --- | --- | --- |"]
    for name, field in section.model_fields.items():
        key = field.alias or name
        effect = "yes" if key in effective else "**refused**" if key in refused else "not yet"
        if key == "source" and section is PathConf:
            effect = "publisher, redirect, " + ", ".join(f"`{scheme}`" for scheme in FETCHED)
        default = _default(section, name, field)
        lines.append(f"| `{key}` | {_kind(field)} | {default} | {field.description} | {effect} |")
    return "\n".join(lines) + "\n"


def _former_table(former: Mapping[str, Former]) -> str:
    lines = ["| Key | Is now | |", "| --- | --- | --- |"]
    for key, now in sorted(former.items()):
        target = f"pathDefaults.{now.key}" if now.to_path_defaults else now.key
        opposite = " (the opposite)" if now.is_opposite else ""
        lines.append(f"| `{key}` | `{target}`{opposite} | {'later release' if now.newer else 'deprecated'} |")
    return "\n".join(lines) + "\n"


def _default(section: type[Section], name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "(must be given)"
    value = section.model_construct().document()[field.alias or name]
    if name == "auth_internal_users":
        return "anybody publishes, reads, plays back; loopback operates"
    if name == "interfaces":
        return ", ".join(f"`{item['transport']} {item['bind']}`" for item in value)
    if isinstance(value, dict):
        return ""
    if value and isinstance(value, list) and isinstance(value[0], dict):
        return ", ".join(str(item["action"]) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
    return f"`{text}`" if text else ""


def _kind(field: FieldInfo) -> str:
    for kind, text in KINDS:
        if any(item in field.metadata for item in get_args(kind)[1:]):
            bounds = {type(item).__name__: item for item in field.metadata}
            least, most = (getattr(bounds.get(name), name.lower(), None) for name in ("Ge", "Le"))
            return text + (f", {least} to {most}" if most is not None else "")
    return _word(field.annotation)


def _word(annotation: Any) -> str:
    if get_origin(annotation) is tuple:
        if get_args(annotation)[0] == NETWORK:
            return "networks"
        word = _word(get_args(annotation)[0])
        return f"list of {'mappings' if word == 'mapping' else word}"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in annotation if member.value)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "mapping"
    if get_origin(annotation) is Annotated and get_args(annotation)[0] in {str, SecretStr}:
        return "text"
    if get_origin(annotation) is dict:
        return "mapping"
    return "numbers" if get_origin(annotation) is Annotated else "text"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
