"""Layers that backbones share. They know of padding: an utterance's result does not depend on its batch."""
