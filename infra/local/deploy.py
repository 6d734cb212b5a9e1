"""Brings the local stack to what the template and the zipped functions say."""

from __future__ import annotations

import hashlib
import json
import platform
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions

from aws import REGION, Failure, Json, client, pages, say
from complete import complete

STACK = "numib-local"
ARTIFACTS = "numib-artifacts"
SENDER = "no-reply@numib.example"
OPERATION_SECONDS_MAX = 300
POLL_SECONDS = 0.2
# No update leads out of these; only deleting the stack does.
STUCK = {
    "CREATE_FAILED",
    "DELETE_FAILED",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_FAILED",
}


def deploy(endpoint: str, artifacts: Path, template: Path, state: Path) -> Json:
    """Uploads, creates or updates the stack, and describes it in the state file."""
    prefix, template_url = upload(endpoint, artifacts, template)
    cloudformation = client(endpoint, "cloudformation")
    verify_sender(endpoint)
    stack = apply(cloudformation, prefix, template_url)
    complete(endpoint, cloudformation, stack)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    api_id = urlsplit(outputs["ApiUrl"]).netloc.split(".")[0]
    result = {
        "endpoint": endpoint,
        "region": REGION,
        "account": stack["StackId"].split(":")[4],
        "stack": STACK,
        "api_url": endpoint,
        "api_host": f"{api_id}.execute-api.localhost:{urlsplit(endpoint).port}",
        "outputs": outputs,
    }
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(json.dumps(result, indent=2) + "\n")
    return result


def verify_sender(endpoint: str) -> None:
    """Makes SES take e-mail from the sender's domain, which no template can: someone has to put
    records into its DNS."""
    ses = client(endpoint, "sesv2")
    domain = SENDER.split("@")[1]
    if domain not in (i["IdentityName"] for i in ses.list_email_identities()["EmailIdentities"]):
        ses.create_email_identity(EmailIdentity=domain)


def upload(endpoint: str, artifacts: Path, template: Path) -> tuple[str, str]:
    """Puts the zips and the template under keys made of their contents.

    Returns the zips' prefix and the template's URL.
    """
    zips = sorted(artifacts.glob("*.zip"))
    if not zips:
        raise Failure(f"no *.zip in {artifacts}: build the functions first")
    s3 = client(endpoint, "s3")
    s3.create_bucket(Bucket=ARTIFACTS)
    prefix = f"{digest_of_members(zips)}/"
    present = {o["Key"] for o in pages(s3, "list_objects_v2", "Contents", Bucket=ARTIFACTS)}
    for path in zips:
        if prefix + path.name not in present:
            say(f"uploading {path.name} ({path.stat().st_size / 1e6:.1f} MB)")
            s3.put_object(Bucket=ARTIFACTS, Key=prefix + path.name, Body=path.read_bytes())
    # By URL, since a template inside the request is limited to 51,200 bytes.
    body = template.read_bytes()
    key = f"template/{hashlib.sha256(body).hexdigest()[:16]}.yaml"
    s3.put_object(Bucket=ARTIFACTS, Key=key, Body=body)
    return prefix, f"{endpoint}/{ARTIFACTS}/{key}"


def digest_of_members(zips: list[Path]) -> str:
    """Names and contents of what is zipped: zipping the same files again changes nothing."""
    digest = hashlib.sha256()
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist()):
                content = hashlib.sha256(archive.read(member)).hexdigest()
                digest.update(f"{path.name}\0{member}\0{content}\n".encode())
    return digest.hexdigest()[:16]


def parameters(prefix: str) -> dict[str, str]:
    """What differs here from the template's defaults."""
    host_is_arm = platform.machine() in {"aarch64", "arm64"}
    return {
        "Stage": "local",
        "ArtifactBucket": ARTIFACTS,
        "ArtifactPrefix": prefix,
        "Architecture": "arm64" if host_is_arm else "x86_64",
        "DeletionProtection": "false",
        "SenderAddress": SENDER,
    }


def apply(cloudformation: Any, prefix: str, template_url: str) -> Json:
    """Creates or updates the stack; returns it as it is then."""
    request = {
        "StackName": STACK,
        "TemplateURL": template_url,
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in parameters(prefix).items()
        ],
    }
    stack = find(cloudformation)
    if stack and stack["StackStatus"] in STUCK:
        say(f"the stack {STACK} is {stack['StackStatus']}: deleting it")
        seen = len(events(cloudformation, stack["StackId"]))
        cloudformation.delete_stack(StackName=STACK)
        settle(cloudformation, stack["StackId"], "DELETE_COMPLETE", seen)
        stack = None
    if stack is None:
        say(f"creating the stack {STACK}")
        stack_id = cloudformation.create_stack(**request)["StackId"]
        return settle(cloudformation, stack_id, "CREATE_COMPLETE", 0)
    seen = len(events(cloudformation, stack["StackId"]))
    try:
        cloudformation.update_stack(**request)
    except botocore.exceptions.ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
        say(f"the stack {STACK} is up to date")
        return stack
    say(f"updating the stack {STACK}")
    return settle(cloudformation, stack["StackId"], "UPDATE_COMPLETE", seen)


def find(cloudformation: Any) -> Json | None:
    """The stack as it is, or None where there is none."""
    try:
        stack: Json = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    except botocore.exceptions.ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    return stack


def events(cloudformation: Any, stack_id: str) -> list[Json]:
    """The stack's events, oldest first."""
    listing = pages(cloudformation, "describe_stack_events", "StackEvents", StackName=stack_id)
    return list(listing)[::-1]


def settle(cloudformation: Any, stack_id: str, wanted: str, seen: int) -> Json:
    """Waits for the end of a stack operation, showing each resource done and why one failed."""
    deadline = time.monotonic() + OPERATION_SECONDS_MAX
    failures: list[str] = []
    while True:
        stack: Json = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        fresh = events(cloudformation, stack_id)[seen:]
        seen += len(fresh)
        for event in fresh:
            name, step = event["LogicalResourceId"], event["ResourceStatus"]
            if step.endswith("_FAILED"):
                failures.append(f"  {name}: {event.get('ResourceStatusReason', step)}")
            elif step.endswith("_COMPLETE"):
                say(f"  {step.lower():<16} {name}")
        status = stack["StackStatus"]
        if status == wanted:
            return stack
        if not status.endswith("_IN_PROGRESS"):
            reason = stack.get("StackStatusReason") or "see the resources"
            raise Failure("\n".join([f"the stack {STACK} is {status}: {reason}", *failures]))
        if time.monotonic() > deadline:
            raise Failure(f"the stack {STACK} is still {status} after {OPERATION_SECONDS_MAX} s")
        time.sleep(POLL_SECONDS)
