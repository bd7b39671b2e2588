"""The programs that make the project's datasets and measured figures. Anyone can run them again."""
