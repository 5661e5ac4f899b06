"""`python -m headgate`: the same as the program `headgate`."""

from headgate.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
