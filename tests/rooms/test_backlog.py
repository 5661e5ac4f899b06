"""What was sent last, by number."""

from __future__ import annotations

from headgate.rooms.backlog import COUNT_LIMIT, SIZE_LIMIT, Backlog


def filled(count: int) -> Backlog:
    backlog = Backlog()
    for number in range(1, count + 1):
        backlog.add(str(number).encode())
    return backlog


def test_what_came_after() -> None:
    missed = filled(5).since(3)
    assert (list(missed.frames), missed.seq, missed.lost) == ([b"4", b"5"], 3, 0)


def test_nothing_was_missed() -> None:
    assert filled(5).since(5) == ([], 5, 0)


def test_what_is_forgotten_is_told() -> None:
    missed = filled(COUNT_LIMIT + 10).since(4)
    assert (len(missed.frames), missed.seq, missed.lost) == (COUNT_LIMIT, 10, 6)
    assert missed.frames[0] == b"11"


def test_a_number_that_was_never_given() -> None:
    assert filled(3).since(99).frames == [b"1", b"2", b"3"]


def test_bytes_are_bounded() -> None:
    backlog = Backlog()
    backlog.add(b"x" * (SIZE_LIMIT + 1))
    assert backlog.since(0) == ([], 1, 1)
    for _ in range(5):
        backlog.add(b"x" * (SIZE_LIMIT // 4))
    assert len(backlog.since(0).frames) == 4
