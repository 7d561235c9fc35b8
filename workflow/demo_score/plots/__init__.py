"""The figures of an experiment, each drawn from small tables alone."""
