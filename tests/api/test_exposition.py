from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from headgate.api.exposition import Family, Kind, expose, labels


def test_what_prometheus_reads() -> None:
    ugly = 'a\\b"c\nd{}=,é'
    family = Family("paths", Kind.GAUGE, "Back\\slash\nand line.")
    family.add(1, labels({"name": ugly, "state": "ready"}))
    family.add(2.5)

    (read,) = text_string_to_metric_families(expose([family]))

    assert (read.name, read.type, read.documentation) == ("paths", "gauge", "Back\\slash\nand line.")
    assert [(sample.labels, sample.value) for sample in read.samples] == [
        ({"name": ugly, "state": "ready"}, 1.0),
        ({}, 2.5),
    ]


def test_large_counters_stay_exact() -> None:
    family = Family("bytes_total", Kind.COUNTER, "Bytes.")
    family.add(2**53 - 1)

    assert "bytes_total 9007199254740991\n" in expose([family])


def test_an_empty_family() -> None:
    assert expose([Family("paths", Kind.GAUGE, "Paths.")]) == ""
    zero = expose([Family("paths", Kind.GAUGE, "Paths.")], zero_when_empty=True)
    assert zero.splitlines()[-1] == "paths 0"
