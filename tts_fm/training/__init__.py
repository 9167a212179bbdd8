"""Learning the velocity field, and the vocoder."""
