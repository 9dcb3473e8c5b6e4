"""Fuzzing of any program that reads Frame Streams: made-up streams, what they break, and the shortest that does."""

__all__: list[str] = []
