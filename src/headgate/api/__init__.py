"""How operators look at the server: one HTTP listener, one file a dialect."""
