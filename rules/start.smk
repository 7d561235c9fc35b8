# Before config.yaml is read: where the library lies, and whether the files hold what YAML says they do. Snakemake itself
# takes the last of two equal keys, runs Python that a file asks for, and says little of what is not YAML.
import os
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir, "workflow")))
# The commands run with the Python that runs snakemake, also where its environment is not activated.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_writable
from demo_score.experiments.files import check_configfiles, check_target


@contextmanager
def errors_in_one_line():
    """End as the commands do where a user can fix something: one line, status 2."""
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if workflow.is_main_process:
    with errors_in_one_line():
        check_writable(Path(".snakemake"), folder=True)
        check_configfiles([Path("config.yaml"), *workflow.overwrite_configfiles])
