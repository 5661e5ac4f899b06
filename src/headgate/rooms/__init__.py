"""Rooms: people who meet in a browser. The channelling protocol, its REST API, and the page's files."""
