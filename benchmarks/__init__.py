"""Programs that make the project's data and figures: each can be rerun by anyone."""
