"""`python -m pipeline.schedule`: runs the pipeline again and again, at set times or when the images change."""
