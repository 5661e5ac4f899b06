"""Changes on top of a file: each gives what building everything from nothing would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.config import REDACTED, Configuration, Loaded
from headgate.core.config.changes import Changes
from headgate.core.config.layers import Layers
from headgate.core.errors import ConfigurationError, HeadgateError, NotFound, Refused

Load = Callable[..., Loaded]


def layers(loaded: Loaded) -> Layers:
    return Layers.compose(loaded.configuration, loaded.own)


@pytest.fixture
def plain(load_text: Load) -> Layers:
    return layers(load_text("pathDefaults: {maxReaders: 5}\npaths: {a: , b: {maxReaders: 7}}\n"))


def mistake(call: Callable[[], object]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        call()
    return str(caught.value)


class TestOneChange:
    def test_global(self, plain: Layers) -> None:
        after = plain.patch_global({"readTimeout": "20s", "logLevel": None})
        assert after.configuration.global_.read_timeout == 20
        assert dict(after.changes.global_.given) == {"readTimeout": "20s"}
        assert plain.configuration.global_.read_timeout == 10

    def test_what_the_file_says_too_is_no_change(self, plain: Layers) -> None:
        after = plain.patch_global({"readTimeout": "20s"}).patch_global({"readTimeout": "10s"})
        assert not after.changes
        assert after.configuration == plain.configuration

    def test_path_defaults_reach_every_path_that_does_not_differ(self, plain: Layers) -> None:
        paths = plain.patch_path_defaults({"maxReaders": 9}).configuration.paths
        assert [conf.max_readers for conf in paths.values()] == [9, 7]

    def test_add(self, plain: Layers) -> None:
        after = plain.add_path("c", {"overridePublisher": False})
        assert list(after.configuration.paths) == ["a", "b", "c"]
        assert after.configuration.paths["c"].max_readers == 5
        with pytest.raises(Refused, match="path already exists"):
            after.add_path("c", {})

    def test_patch_keeps_the_rest_and_replace_does_not(self, plain: Layers) -> None:
        patched = plain.patch_path("b", {"overridePublisher": False}).configuration.paths["b"]
        assert (patched.max_readers, patched.override_publisher) == (7, False)
        replaced = plain.replace_path("b", {"overridePublisher": False}).configuration.paths["b"]
        assert (replaced.max_readers, replaced.override_publisher) == (5, False)
        assert "new" in plain.replace_path("new", {}).configuration.paths
        with pytest.raises(NotFound, match="path not found"):
            plain.patch_path("c", {})

    def test_delete(self, plain: Layers) -> None:
        after = plain.delete_path("b")
        assert list(after.configuration.paths) == ["a"]
        with pytest.raises(NotFound, match="path not found"):
            after.delete_path("b")
        again = after.add_path("b", {})
        assert again.configuration.paths["b"].max_readers == 5
        assert not plain.add_path("x", {}).delete_path("x").changes


class TestRefused:
    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ({"foo": 1}, 'json: unknown field "foo"'),
            ({"readTimeout": 10}, "readTimeout: must be text, not a number"),
            ({"rtsp": "yes"}, "rtsp: must be true or false, not text"),
            ({"writeQueueSize": "512"}, "writeQueueSize: must be a number, not text"),
            ({"writeQueueSize": 500}, "writeQueueSize: must be a power of two"),
            ({"writeQueueSize": 0}, "writeQueueSize: must be at least 1"),
            ({"rtspTransports": "tcp"}, "rtspTransports: must be a list"),
            ({"rtspTransports": [1]}, "invalid transport '1'"),
            ({"logLevel": "loud"}, "logLevel: invalid log level: 'loud'"),
            ({"readTimeout": "0s"}, "readTimeout: must be greater than zero"),
            ({"udpMaxPayloadSize": 1473}, "udpMaxPayloadSize: must be at most 1472"),
            ({"rtspAddress": "example.org:1"}, "the host must be an IP address or localhost"),
            ({"rtspServerKey": {"a": 1}}, "rtspServerKey: must be text"),
            ({"authInternalUsers": [{"user": "x", "colour": 1}]}, 'json: unknown field "colour"'),
            ({"runOnConnect": "touch /tmp/x"}, "runOnConnect: cannot be set through the API"),
            ({"apiEncryption": True}, "apiEncryption: is set, but"),
            ({"authJWTJWKS": REDACTED}, "authJWTJWKS: <redacted> stands for a secret"),
        ],
    )
    def test_global(self, plain: Layers, given: dict[str, Any], text: str) -> None:
        assert text in mistake(lambda: plain.patch_global(given))

    @pytest.mark.parametrize(
        ("name", "given", "text"),
        [
            ("/x", {}, "invalid path name '/x': can't begin with a slash"),
            ("x/", {}, "invalid path name 'x/': can't end with a slash"),
            ("../../etc/passwd", {}, "can't have a segment . or .."),
            ("x\\y", {}, "can contain only alphanumeric characters"),
            ("x\0", {}, "can contain only alphanumeric characters"),
            ("кам", {}, "can contain only alphanumeric characters"),
            ("x" * 256, {}, "can't be longer than 255 bytes"),
            ("~(", {}, "invalid regular expression: ("),
            ("all", {}, "all and all_others are the same; only one may be configured"),
            ("x", {"source": "ftp://x"}, "source: invalid source: 'ftp://x'"),
            ("x", {"source": "redirect"}, "sourceRedirect: must be filled when source is 'redirect'"),
            ("x", {"sourceOnDemand": True}, "sourceOnDemand: is useless when source is 'publisher'"),
            ("~^x", {"source": "rtsp://h/x"}, "sourceOnDemand: must be yes for a source of a regular"),
            ("x", {"recordPath": "./x"}, "recordPath: must contain %path"),
            ("x", {"recordSegmentDuration": "2d"}, "recordSegmentDuration: must be at most 1d"),
            ("x", {"srtReadPassphrase": "long enough"}, "srtReadPassphrase: is set, but SRT"),
            ("x", {"runOnReady": "sh"}, "runOnReady: cannot be set through the API"),
            ("x", {"source": "rpiCamera", "rpiCameraSecondary": True}, "no path has the primary stream"),
        ],
    )
    def test_path(self, load_text: Load, name: str, given: dict[str, Any], text: str) -> None:
        before = layers(load_text(""))
        assert text in mistake(lambda: before.add_path(name, given))

    def test_defaults_that_a_path_cannot_bear(self, load_text: Load) -> None:
        before = layers(load_text("paths: {x: {recordDeleteAfter: 2h}}"))
        told = mistake(lambda: before.patch_path_defaults({"recordSegmentDuration": "3h"}))
        assert told == "paths.x.recordDeleteAfter: cannot be lower than recordSegmentDuration"

    def test_playback_makes_demands_on_every_path(self, load_text: Load) -> None:
        before = layers(load_text("paths: {x: {recordPath: ./%path-%s}}"))
        told = mistake(lambda: before.patch_global({"playback": True}))
        assert told == "paths.x.recordPath: must contain %f when playback is on"

    def test_a_camera_that_another_path_needs_stays(self, load_text: Load) -> None:
        cameras = layers(
            load_text(
                "paths: {p: {source: rpiCamera}, s: {source: rpiCamera, rpiCameraSecondary: yes,"
                " rpiCameraCodec: mjpeg}}"
            )
        )
        assert "no path has the primary stream" in mistake(lambda: cameras.delete_path("p"))


class TestWhatWasGot:
    """A GET followed by a PATCH or a replace changes nothing."""

    def test_global(self, load_text: Load) -> None:
        before = layers(load_text("hls: no\nreadTimeout: 1m"))
        after = before.patch_global(before.configuration.global_.document())
        assert after.configuration == before.configuration
        assert not after.changes

    def test_path(self, load_text: Load) -> None:
        before = layers(
            load_text(
                "paths: {x: {source: 'rtsp://u:hunter2@h/x', maxReaders: 2, sourceOnDemandCloseAfter: 0s}}"
            )
        )
        document = before.configuration.paths["x"].document()
        for url in (REDACTED, f"rtsp://u:{REDACTED}@h/x", f"rtsp://{REDACTED}@h/x"):
            after = before.replace_path("x", {**document, "source": url})
            assert after.configuration == before.configuration
        told = mistake(lambda: before.replace_path("x", {"source": f"rtsp://u:{REDACTED}@elsewhere/x"}))
        assert "there is none to keep" in told
        assert "hunter2" not in told

    def test_hooks_may_stay_and_not_change(self, load_text: Load) -> None:
        before = layers(load_text("paths: {x: {runOnReady: say hello}}"))
        document = before.configuration.paths["x"].document()
        assert before.replace_path("x", document).configuration == before.configuration
        assert "runOnReady" in mistake(lambda: before.patch_path("x", {"runOnReady": "say bye"}))
        assert "runOnReady" in mistake(lambda: before.patch_path("x", {"runOnReady": ""}))


def test_keys_of_old_are_taken(load_text: Load) -> None:
    before = layers(load_text("paths: {x: }"))
    assert before.patch_global({"rtspDisable": True}).configuration.global_.rtsp is False
    after = before.patch_path("x", {"disablePublisherOverride": True})
    assert after.configuration.paths["x"].override_publisher is False
    both = {"rtspDisable": True, "rtsp": True}
    assert "says the same as rtsp" in mistake(lambda: before.patch_global(both))
    assert "unknown field" in mistake(lambda: before.patch_global({"record": True}))


class TestAnotherFile:
    """The changes stay on top of it."""

    def test_keys(self, load_text: Load) -> None:
        before = layers(load_text("paths: {a: {maxReaders: 1}, b: }"))
        changed = before.patch_path("a", {"overridePublisher": False}).delete_path("b").add_path("c", {})
        loaded = load_text("readTimeout: 5s\npaths: {a: {maxReaders: 2}, b: {maxReaders: 3}, d: }")
        after = Layers.compose(loaded.configuration, loaded.own, changed.changes).configuration
        assert after.global_.read_timeout == 5
        assert list(after.paths) == ["a", "c", "d"]
        assert (after.paths["a"].max_readers, after.paths["a"].override_publisher) == (2, False)

    def test_a_patched_path_that_left_the_file_is_gone(self, load_text: Load) -> None:
        changed = layers(load_text("paths: {a: , b: }")).patch_path("a", {"maxReaders": 1})
        loaded = load_text("paths: {b: }")
        assert list(Layers.compose(loaded.configuration, loaded.own, changed.changes).own) == ["b"]

    def test_changes_that_do_not_fit_are_told(self, load_text: Load) -> None:
        changed = layers(load_text("paths: {a: }")).add_path("all", {})
        loaded = load_text("paths: {all_others: }")
        told = mistake(lambda: Layers.compose(loaded.configuration, loaded.own, changed.changes))
        assert told == "all_others and all are the same; only one may be configured"


NAMES = st.sampled_from(["a", "b", "new", "~^live/(.+)$", "all", "all_others", "../x"])
GLOBAL = st.fixed_dictionaries(
    {},
    optional={
        "readTimeout": st.sampled_from(["10s", "20s", "0s", 5, None]),
        "rtspTransports": st.lists(st.sampled_from(["tcp", "udp", "multicast"]), min_size=1),
        "playback": st.booleans(),
        "writeQueueSize": st.sampled_from([512, 1024, 500]),
        "rtspDisable": st.booleans(),
        "nonsense": st.none(),
    },
)
PATH = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("other"),
        "maxReaders": st.integers(-1, 5),
        "overridePublisher": st.one_of(st.booleans(), st.none()),
        "source": st.sampled_from(["publisher", "rtsp://u:p@host/x", "rpiCamera", "ftp://", REDACTED]),
        "sourceOnDemand": st.booleans(),
        "recordPath": st.sampled_from(["./%path-%s", "./%path-%s-%f", "./x"]),
        "recordDeleteAfter": st.sampled_from(["0s", "1h", "1d"]),
        "recordSegmentDuration": st.sampled_from(["1h", "2h"]),
    },
)
CALLS = st.one_of(
    st.tuples(st.just("patch_global"), GLOBAL),
    st.tuples(st.just("patch_path_defaults"), PATH),
    st.tuples(st.sampled_from(["add_path", "patch_path", "replace_path"]), NAMES, PATH),
    st.tuples(st.just("delete_path"), NAMES),
)


@given(st.lists(CALLS, max_size=12))
def test_any_sequence_of_calls_gives_what_building_from_nothing_does(calls: list[tuple[Any, ...]]) -> None:
    base = Layers.of(Configuration.default()).add_path("a", {"maxReaders": 3}).configuration
    state = Layers.of(base)
    for verb, *arguments in calls:
        before = state
        try:
            state = getattr(state, verb)(*arguments)
        except HeadgateError:
            assert state is before
        else:
            scratch = Layers.compose(base, state.base_own, state.changes)
            assert scratch.configuration == state.configuration
            assert {name: dict(own) for name, own in scratch.own.items()} == {
                name: dict(own) for name, own in state.own.items()
            }
            read = Changes.read(state.changes.text())
            assert Layers.compose(base, state.base_own, read).configuration == state.configuration
            document = state.configuration.global_.document()
            assert state.patch_global(document).configuration == state.configuration
            for name, conf in state.configuration.paths.items():
                assert state.replace_path(name, conf.document()).configuration == state.configuration
