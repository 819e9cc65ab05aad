"""Wizard: a self-hosted LLM gateway, one OpenAI-compatible base URL in front of every provider."""

__version__ = "0.1.0"
