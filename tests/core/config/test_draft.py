from __future__ import annotations

from headgate.core.config.draft import Draft, Origin, did_you_mean, dotted


def test_locations_read_as_keys() -> None:
    assert dotted(("authInternalUsers", 0, "ips", 1)) == "authInternalUsers[0].ips[1]"
    assert dotted(("paths", "~^a.b$", "source")) == "paths.~^a.b$.source"


def test_put_makes_what_holds_the_value() -> None:
    draft = Draft({"paths": None, "x": "text"})
    draft.put(("paths", "cam", "source"), "publisher", Origin("A"))
    draft.put(("users", 0, "name"), "bob", Origin("B"))
    draft.put(("users", 1, "name"), "eve", Origin("C"))
    assert draft.data == {
        "paths": {"cam": {"source": "publisher"}},
        "x": "text",
        "users": [{"name": "bob"}, {"name": "eve"}],
    }
    assert draft.get(("users", 1, "name")) == "eve"
    assert draft.get(("users", 2, "name")) is None
    assert draft.get(("x", "y")) is None
    assert str(draft.origin(("users", 1, "other"))) == "C"


def test_mistakes_come_in_the_order_of_the_file_each_once() -> None:
    draft = Draft(origins={("b",): Origin("f", 9), ("a",): Origin("f", 2), ("e",): Origin("HEADGATE_E")})
    draft.mistake(("e",), "bad")
    draft.mistake(("b",), "bad")
    draft.mistake(("a", 3), "bad")
    draft.mistake(("b",), "bad")
    assert draft.mistakes == ["f:2: a[3]: bad", "f:9: b: bad", "HEADGATE_E: e: bad"]


def test_suggestions() -> None:
    assert did_you_mean("readTimout", ["readTimeout", "writeTimeout"]) == " (did you mean 'readTimeout'?)"
    assert did_you_mean("READTIMEOUT", ["readTimeout"]) == " (did you mean 'readTimeout'?)"
    assert did_you_mean("zebra", ["readTimeout"]) == ""
