from __future__ import annotations

from uuid import UUID

import pytest

from headgate.api.failure import BadRequest
from headgate.api.paging import page_of, parse_uuid

ID = "0d7a3f0e-5c1b-4d52-9f6e-1f2a3b4c5d6e"


class TestPages:
    @pytest.mark.parametrize(
        ("count", "page", "size", "items", "pages"),
        [
            (0, None, None, [], 0),
            (3, None, None, [0, 1, 2], 1),
            (101, None, None, list(range(100)), 2),
            (101, "1", None, [100], 2),
            (4, "1", "2", [2, 3], 2),
            (4, "2", "2", [], 2),
            (4, "", "", [0, 1, 2, 3], 1),
            (4, "2147483647", "2147483647", [], 1),
            (4, "0000000000000000000001", "3", [3], 2),
        ],
    )
    def test_slices(
        self, count: int, page: str | None, size: str | None, items: list[int], pages: int
    ) -> None:
        part = page_of(range(count), page=page, items_per_page=size)

        assert (list(part.items), part.page_count, part.item_count) == (items, pages, count)

    @pytest.mark.parametrize(
        ("page", "size", "text"),
        [
            ("0", "0", "invalid items per page"),
            ("0", "abc", 'strconv.ParseUint: parsing "abc": invalid syntax'),
            ("-1", "1", 'strconv.ParseUint: parsing "-1": invalid syntax'),
            ("+1", "1", 'strconv.ParseUint: parsing "+1": invalid syntax'),
            ("1_0", "1", 'strconv.ParseUint: parsing "1_0": invalid syntax'),
            ("٣", "1", r'strconv.ParseUint: parsing "\u0663": invalid syntax'),
            ("2147483648", "1", 'strconv.ParseUint: parsing "2147483648": value out of range'),
            ("9" * 5000, "1", f'strconv.ParseUint: parsing "{"9" * 5000}": value out of range'),
        ],
    )
    def test_mistakes(self, page: str, size: str, text: str) -> None:
        with pytest.raises(BadRequest) as caught:
            page_of([1, 2, 3], page=page, items_per_page=size)

        assert str(caught.value) == text


class TestUuids:
    @pytest.mark.parametrize("text", [ID, ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}"])
    def test_spellings(self, text: str) -> None:
        assert parse_uuid(text) == UUID(ID)

    @pytest.mark.parametrize(
        ("text", "mistake"),
        [
            ("", "invalid UUID length: 0"),
            (ID + "0", "invalid UUID length: 37"),
            ("urn:uuix:" + ID, "invalid UUID length: 45"),
            (ID.replace("-", "_"), "invalid UUID format"),
            ("g" + ID[1:], "invalid UUID format"),
            ("0-d7a3f0e5c1b-4d52-9f6e-1f2a3b4c5d6e", "invalid UUID format"),
        ],
    )
    def test_mistakes(self, text: str, mistake: str) -> None:
        with pytest.raises(BadRequest) as caught:
            parse_uuid(text)

        assert str(caught.value) == mistake
