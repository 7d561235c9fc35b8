"""Demo-SCORE: curate robot demonstrations by what a policy trained on them does in rollouts.

Source: Chen, Lessing, Liu, Finn, "Curating Demonstrations using Online Experience" (arXiv 2503.03707).
"""

from demo_score.runtime import unexpected

unexpected.install()
