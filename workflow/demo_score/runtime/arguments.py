"""What the command lines of all commands have in common."""

import argparse
import json
from typing import NoReturn

from demo_score.runtime.errors import UserError


class Parser(argparse.ArgumentParser):
    """argparse's, which raises UserError, one line, where argparse prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help shows how it is called")


def json_argument(text: str) -> dict:
    """Settings on a command line, as JSON: argparse's `type`."""
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise argparse.ArgumentTypeError(f"'{text}' is no JSON of settings; write '{{\"name\": value}}'")
    return values
