"""The figures of an experiment, each drawn from small tables alone."""

import os

os.environ["MPLBACKEND"] = "agg"  # figures are files: no other is needed, and one of a wrong name cannot be imported
