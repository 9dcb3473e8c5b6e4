"""Types of the public API, checked by mypy and not run.

assert_type fails on another type. A wrong call has `type: ignore[code]`, which mypy --strict reports once the call is
accepted.
"""
