"""`python -m pipeline.review`: serves a page on which people decide about photos that look wrong."""
