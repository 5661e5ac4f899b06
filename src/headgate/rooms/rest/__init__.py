"""The public REST API of the rooms, and the page's files."""
