"""The HTTP server: speech over OpenAI's interface, from one synthesizer that is loaded once."""
