"""The bins of elapsed time, in seconds, that SCIZOR's classifier tells apart."""

import numpy as np

STARTS = np.array([0, 0.5, 1, 2, 5])
ENDS = np.array([0.5, 1, 2, 5, 10000])
