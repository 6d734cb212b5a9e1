"""Looks whether the AWS CLI knows every `aws` command that the documents show.

`cargo xtask test` hands the commands over. Services, operations and options are those of botocore,
which the CLI is made of. Nothing is sent.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

import botocore.session
from botocore import xform_name

# What the CLI adds to botocore: commands of its own, each with its options, and options of all.
OWN = {
    ("s3", "cp"): set[str](),
    ("cloudformation", "deploy"): {
        "--capabilities",
        "--parameter-overrides",
        "--s3-bucket",
        "--stack-name",
        "--template-file",
    },
}
OF_ALL = {"--cli-binary-format", "--cli-read-timeout", "--output", "--query"}


def problems(session: Any, words: list[str]) -> list[str]:
    """What the CLI would object to; nothing where it would send the request."""
    service, operation, *rest = words
    given = {word for word in rest if word.startswith("--")}
    if (own := OWN.get((service, operation))) is not None:
        return [f"unknown option {name}" for name in sorted(given - own - OF_ALL)]
    if service not in session.get_available_services():
        return [f"unknown service {service}"]
    model = session.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        return [f"unknown operation {operation}"]
    shape = model.operation_model(names[operation]).input_shape
    members = {"--" + xform_name(name, "-"): name for name in shape.members}
    required = {option for option, name in members.items() if name in shape.required_members}
    found = [f"unknown option {name}" for name in sorted(given - set(members) - OF_ALL)]
    # A command without options is a name in a sentence.
    found += [f"{name} is missing" for name in sorted(required - given) if given]
    for option, value in zip(rest, rest[1:]):
        # Variables of the shell stand for texts.
        value = re.sub(r"\$\(.*?\)|\$\w+", "x", value)
        if option in members and value.startswith(("{", "[")):
            try:
                json.loads(value)
            except ValueError as error:
                found.append(f"{option} is no JSON: {error}")
    return found


def main() -> int:
    """Checks all commands; says what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", help='JSON: a list of {"at": document, "words": [word]}')
    shown = json.loads(parser.parse_args().commands)
    session = botocore.session.get_session()
    wrong = [
        f"  ✗ {command['at']}: aws {' '.join(words)}: {problem}"
        for command in shown
        # A service without an operation is a name in a sentence, too.
        if len(words := command["words"][1:]) > 1
        for problem in problems(session, words)
    ]
    print("\n".join([*wrong, f"{len(shown)} commands, {len(wrong)} problems"]))
    return 1 if wrong or not shown else 0


if __name__ == "__main__":
    sys.exit(main())
