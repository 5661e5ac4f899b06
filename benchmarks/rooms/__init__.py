"""How many people the rooms wing serves, and how fast. `python -m benchmarks.rooms`."""
