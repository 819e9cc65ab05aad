"""Anthropic's Messages API in front: requests read, answers written, failures told as its SDKs expect them."""
