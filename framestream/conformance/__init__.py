"""Conformance kit: numbered cases that any program that reads or writes Frame Streams can be put to."""

__all__: list[str] = []
