"""What config.yaml says: its experiments, checked before anything runs."""
