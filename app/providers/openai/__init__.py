"""OpenAI and every server that speaks its dialect, which is that of the canonical model: bodies pass as they came."""
