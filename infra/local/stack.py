"""The local stack: deploys template.yaml to the emulator, and looks into what it holds.

The emulator speaks the AWS APIs on one address, so all of this is ordinary AWS calls. Progress
goes to stderr, results to stdout: one JSON value, or for `dump` one a line.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions

from aws import Failure, Json, client, say
from deploy import deploy
from dump import dump
from login import second_factor, token


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    deploy_ = commands.add_parser("deploy", help="bring the stack up to date")
    deploy_.add_argument("--artifacts", type=Path, required=True, help="folder of the zip files")
    deploy_.add_argument("--template", type=Path, required=True)
    deploy_.add_argument("--state", type=Path, required=True, help="file to describe the stack in")
    dump_ = commands.add_parser("dump", help="print everything stored")
    log_ = commands.add_parser("log", help="fill a new log group")
    log_.add_argument("--group", required=True)
    log_.add_argument("--lines", type=int, required=True)
    mail_ = commands.add_parser("mail", help="print the e-mail sent so far")
    token_ = commands.add_parser("token", help="make a member and log in")
    token_.add_argument("--state", type=Path, required=True, help="file that deploy wrote")
    token_.add_argument("--email", required=True)
    token_.add_argument("--group", required=True)
    token_.add_argument("--password", help="a random one if missing")
    factor_ = commands.add_parser("second-factor", help="give a member one, and log in with it")
    factor_.add_argument("--state", type=Path, required=True, help="file that deploy wrote")
    factor_.add_argument("--email", required=True)
    factor_.add_argument("--password", required=True)
    factor_.add_argument("--access-token", required=True)
    invoke_ = commands.add_parser("invoke", help="run a function with an event")
    invoke_.add_argument("--function", required=True)
    invoke_.add_argument("--event", required=True, help="JSON")
    assume_ = commands.add_parser("assume", help="get credentials of a role")
    assume_.add_argument("--role", required=True, help="its ARN")
    for each in (deploy_, dump_, log_, mail_, token_, factor_, invoke_, assume_):
        each.add_argument("--endpoint", required=True, help="address of the emulator")
    return parser.parse_args()


def invoke(endpoint: str, function: str, event: str) -> Json:
    """Runs a function; returns its result."""
    answer = client(endpoint, "lambda").invoke(FunctionName=function, Payload=event.encode())
    payload = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        raise Failure(f"{function} failed: {payload}")
    result: Json = json.loads(payload)
    return result


def assume(endpoint: str, role: str) -> Json:
    """Temporary credentials of a role."""
    sts = client(endpoint, "sts")
    credentials: Json = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return credentials


def mail(endpoint: str) -> Json:
    """Every e-mail that SES took; the emulator keeps them where AWS sends them."""
    with urllib.request.urlopen(f"{endpoint}/_ministack/ses/messages", timeout=10) as answer:
        result: Json = json.load(answer)
    return result


def log(endpoint: str, group: str, lines: int) -> Json:
    """A new log group with so many numbered lines, all of one moment, in one stream."""
    logs = client(endpoint, "logs")
    stream = {"logGroupName": group, "logStreamName": "stream"}
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(**stream)
    at = round(time.time() * 1000)
    events = [{"timestamp": at, "message": f"line {number}"} for number in range(lines)]
    # AWS takes no more at once.
    for first in range(0, lines, 10_000):
        logs.put_log_events(**stream, logEvents=events[first : first + 10_000])
    return {"lines": lines}


def plain(value: Any) -> str:
    """What JSON has no type for.

    Bytes become the text in them, so that a search finds it: base64 would hide it.
    """
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


def main() -> int:
    """Runs one command."""
    given = vars(arguments())
    commands: dict[str, Callable[..., Any]] = {
        "deploy": deploy,
        "dump": dump,
        "log": log,
        "mail": mail,
        "token": token,
        "second-factor": second_factor,
        "invoke": invoke,
        "assume": assume,
    }
    try:
        result = commands[given.pop("command")](**given)
        for line in [result] if isinstance(result, dict) else result:
            print(json.dumps(line, default=plain, ensure_ascii=False))
    except (
        Failure,
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
    ) as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
