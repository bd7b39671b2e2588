"""The pipeline: the component graph, the orchestrator that runs it, the artifact store, and the commands."""
