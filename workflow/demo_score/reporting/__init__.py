"""What a person sees of a run: progress on the terminal, the report and its pages."""
