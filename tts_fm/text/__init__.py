"""Text before the frontend: made plain, read out in words, cut into pieces."""
