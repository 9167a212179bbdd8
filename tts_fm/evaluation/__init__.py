"""How well a voice is understood and recognised, always beside the score of the real recordings."""
