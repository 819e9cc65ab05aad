"""The providers that are known by name: where they answer and which variable usually holds their key.

Pure data, so that adding a provider that speaks the OpenAI dialect is one line. The addresses are the OpenAI-compatible
ones that the providers publish for their APIs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Preset:
    """Where one well-known provider answers.

    `key_env` is the variable that usually holds its key; None for servers on this machine, which need none.
    """

    base_url: str
    key_env: str | None
    label: str


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "openai": Preset("https://api.openai.com/v1", "OPENAI_API_KEY", "OpenAI, and every compatible server"),
        "anthropic": Preset("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "Anthropic (its compatible endpoint)"),
        "gemini": Preset(
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GEMINI_API_KEY",
            "Google Gemini (its compatible endpoint)",
        ),
        "groq": Preset("https://api.groq.com/openai/v1", "GROQ_API_KEY", "Groq"),
        "xai": Preset("https://api.x.ai/v1", "XAI_API_KEY", "xAI"),
        "deepseek": Preset("https://api.deepseek.com", "DEEPSEEK_API_KEY", "DeepSeek"),
        "mistral": Preset("https://api.mistral.ai/v1", "MISTRAL_API_KEY", "Mistral"),
        "cohere": Preset(
            "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY", "Cohere (its compatible endpoint)"
        ),
        "openrouter": Preset("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "OpenRouter"),
        "together": Preset("https://api.together.ai/v1", "TOGETHER_API_KEY", "Together"),
        "fireworks": Preset("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", "Fireworks"),
        "cerebras": Preset("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", "Cerebras"),
        "perplexity": Preset("https://api.perplexity.ai", "PERPLEXITY_API_KEY", "Perplexity"),
        "nvidia": Preset("https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", "NVIDIA"),
        "ollama": Preset("http://127.0.0.1:11434/v1", None, "Ollama on this machine"),
        "llamacpp": Preset("http://127.0.0.1:8080/v1", None, "llama.cpp server on this machine"),
        "vllm": Preset("http://127.0.0.1:8000/v1", None, "vLLM on this machine"),
    }
)
