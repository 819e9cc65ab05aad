"""OpenAI's Responses API behind the gateway, for models that are better there, or only there."""
