"""The built-in model: llama.cpp in a process of its own, kept alive and reached over HTTP. See docs/local-model.md."""
