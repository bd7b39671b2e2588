"""Everything that depends on Beam's runners: the graph as transforms, options, and checks of clusters."""

DIRECT_RUNNER = "DirectRunner"
