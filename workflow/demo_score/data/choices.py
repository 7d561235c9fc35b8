"""What can be chosen where data are read, written and converted; without a package, so that --help need not wait."""

ACT, STANDARD = "act", "standard"  # how JPEGs of ALOHA's files were made
JPEGS = (ACT, STANDARD)
KINDS_OF_IMAGES = ("video", "image")  # of a LeRobot data set
FORMATS = ("lerobot", "aloha", "robomimic")  # to write
REFUSE, SKIP = "refuse", "skip"  # what becomes of episodes with problems
CHOICES = (REFUSE, SKIP)
