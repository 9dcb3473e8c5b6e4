"""`python -m framestream`."""

from framestream.cli.main import run

if __name__ == "__main__":
    run()
