"""`python -m framestream` is the framestream command."""

from framestream.cli.main import run

run()
