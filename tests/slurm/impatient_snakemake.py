"""snakemake, but it looks every two seconds at how jobs fare: the plugin's pauses grow to minutes."""

import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

PAUSE = 2  # seconds
RemoteExecutor.next_seconds_between_status_checks = property(lambda executor: PAUSE, lambda executor, pause: None)

if __name__ == "__main__":
    sys.exit(main())
