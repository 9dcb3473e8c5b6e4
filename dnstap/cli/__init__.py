"""The dnstap command."""

__all__: list[str] = []
