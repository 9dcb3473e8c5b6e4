"""Cases of the conformance kit about dnstap, which `framestream check` finds by an entry point."""

__all__: list[str] = []
