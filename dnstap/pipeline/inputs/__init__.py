"""Inputs of the pipeline: files, connections accepted, connections made."""

__all__: list[str] = []
