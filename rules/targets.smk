# What was asked for by its path, once all rules are known. Snakemake tells of targets only later, where it says no more
# than that there is no rule: they are read from the command line, where it is Snakemake's.
from snakemake.cli import get_argument_parser


def asked_for():
    program = Path(sys.argv[0])
    if "snakemake" not in (program.name, program.parent.name):  # its script, or snakemake/__main__.py
        return []
    return get_argument_parser().parse_known_args(sys.argv[1:])[0].targets or []


def check_targets():
    patterns = sorted({str(output) for rule in workflow.rules for output in rule.output})
    for target in asked_for():
        if not workflow.is_rule(target):
            file = target if os.path.isabs(target) else os.path.relpath(target)
            makers = [rule.get_wildcards(file) for rule in workflow.rules if rule.is_producer(file)]
            check_target(file, makers, patterns, PLACES)


if workflow.is_main_process:
    with errors_in_one_line():
        check_targets()
