"""Settings of a command: composed by Hydra, checked against their schemas, stored beside what they made."""
