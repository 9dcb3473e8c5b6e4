"""`python -m dnstap` is the dnstap command."""

from dnstap.cli.main import run

run()
