"""From inputs through stages to outputs: what the command runs, and collectors in programs."""

__all__: list[str] = []
