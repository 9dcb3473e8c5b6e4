"""A linter for dnstap: findings about payloads and streams, by count and first place."""

__all__: list[str] = []
