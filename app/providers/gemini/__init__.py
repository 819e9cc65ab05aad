"""Google's Gemini, in its own dialect: `generateContent`, at the Gemini API and at Vertex AI alike."""
