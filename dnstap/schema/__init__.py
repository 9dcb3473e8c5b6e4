"""The schema of dnstap: its enums, its fields, and what a message type means."""

__all__: list[str] = []
