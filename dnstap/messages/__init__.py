"""The typed classes of dnstap, and what can be made of them and read from them."""

from dnstap.messages.classes import Dnstap, Message, Policy

__all__ = ["Dnstap", "Message", "Policy"]
