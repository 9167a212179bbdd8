"""What the subcommands of ``tts-fm`` share: options, who speaks, the text, and what a person sees."""
