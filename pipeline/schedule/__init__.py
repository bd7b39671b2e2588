"""`python -m pipeline.schedule`: runs the pipeline repeatedly, at set times or when the images change."""
