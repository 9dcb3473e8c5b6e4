"""`python -m dnstap` is the dnstap command."""

from dnstap.cli import run

run()
