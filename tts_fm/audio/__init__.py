"""Sound: files, levels, prompts, mels, and the joining of sentences."""
