"""What config.yaml and the settings may say: a model of each section, with what must hold between its keys."""
