"""`python -m pipeline.demo`: serves a small chat on this machine in which the model captions photos."""
