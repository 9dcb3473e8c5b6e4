"""Outputs of the pipeline: recordings, text, relays."""

__all__: list[str] = []
