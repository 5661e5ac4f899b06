"""The benchmark behind `make bench`: real servers, a load generator of our own, one table."""
