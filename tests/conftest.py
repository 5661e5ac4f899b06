"""What every test shares."""

from __future__ import annotations

from hypothesis import settings

# A shared machine stalls now and then for longer than any deadline fit for a developer's own;
# on failure the blob that reproduces it is printed.
settings.register_profile("headgate", deadline=None, print_blob=True)
settings.load_profile("headgate")
