"""Configurations of other servers, read and said again as ours."""
