"""What the command lines of all commands have in common."""

import argparse
from typing import NoReturn

from demo_score.runtime.errors import UserError


class Parser(argparse.ArgumentParser):
    """argparse's, which raises UserError, one line, where argparse prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help shows how it is called")
