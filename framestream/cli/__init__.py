"""The command `framestream`: tools for those who write readers and writers of Frame Streams."""

__all__: list[str] = []
