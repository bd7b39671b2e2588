"""The artifact store: on a disk, or in object storage with a copy on this machine."""
