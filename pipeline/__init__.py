"""The orchestrator: what runs, in which order, where its results are kept, and how people hear of it."""
