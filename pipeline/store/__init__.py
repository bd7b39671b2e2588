"""The artifact store: in a local folder, or in object storage with a copy on this machine."""
