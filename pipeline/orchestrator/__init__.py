"""The orchestrator: plans a run, runs what is not cached, and records it. It is independent of Beam's runners."""
