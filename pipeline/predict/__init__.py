"""What a published version says of a photo: `python -m pipeline.predict`, and the model behind the demo."""
