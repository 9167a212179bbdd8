"""Flow matching as mathematics on tensors: it knows nothing of speech.

``t`` runs from 0 (noise, ``x_0``) to 1 (data, ``x_1``).
"""
