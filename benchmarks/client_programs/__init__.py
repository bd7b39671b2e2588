"""Programs of others that take the published files, and what drives them: MediaPipe in Python, and in Chromium."""
