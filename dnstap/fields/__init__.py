"""The catalogue of fields, which lines of chosen fields and filters read."""

__all__: list[str] = []
