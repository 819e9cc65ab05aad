"""Serve OpenAI's Responses API: read its requests, write answers and their events in the order its SDKs expect."""
