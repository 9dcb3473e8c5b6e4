"""Pairs of queries and responses: a response gets the time of its query, and a query whether it was answered."""
