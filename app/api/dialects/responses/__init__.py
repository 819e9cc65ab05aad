"""OpenAI's Responses API in front: requests read, answers written, their events in the order that its SDKs expect."""
