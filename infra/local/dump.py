"""Everything the local stack stores anywhere, for a search through it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aws import Json, client, pages
from deploy import ARTIFACTS


def dump(endpoint: str) -> Iterator[Json]:
    """One entry per table, stream, object, queue, log group, and so on, with its raw content.

    Not in it: secrets and members, which hold what they are for, and the functions' binaries.
    """
    yield from tables(endpoint)
    yield from streams(endpoint)
    yield from objects(endpoint)
    yield from queues(endpoint)
    logs = client(endpoint, "logs")
    for group in pages(logs, "describe_log_groups", "logGroups"):
        name = group["logGroupName"]
        yield {"source": f"log:{name}", "content": list(events(logs, name))}
    found = pages(client(endpoint, "cloudwatch"), "list_metrics", "Metrics")
    yield {"source": "metrics", "content": list(found)}
    scheduler = client(endpoint, "scheduler")
    for schedule in pages(scheduler, "list_schedules", "Schedules"):
        name = schedule["Name"]
        yield {"source": f"schedule:{name}", "content": scheduler.get_schedule(Name=name)}
    found = pages(client(endpoint, "lambda"), "list_functions", "Functions")
    yield {"source": "functions", "content": list(found)}


def events(logs: Any, group: str) -> Iterator[Json]:
    """Every event of a log group, stream by stream.

    The emulator answers `filter_log_events` with 10,000 events of a group and names no next page.
    """
    for stream in pages(logs, "describe_log_streams", "logStreams", logGroupName=group):
        name, token = stream["logStreamName"], {}
        while True:
            page = logs.get_log_events(
                logGroupName=group, logStreamName=name, startFromHead=True, **token
            )
            for event in page["events"]:
                yield {**event, "logStreamName": name}
            following = {"nextToken": page["nextForwardToken"]}
            # After the last page, the next one is that same page.
            if following == token:
                break
            token = following


def tables(endpoint: str) -> Iterator[Json]:
    """Every item of every table."""
    dynamodb = client(endpoint, "dynamodb")
    for name in pages(dynamodb, "list_tables", "TableNames"):
        found = pages(dynamodb, "scan", "Items", TableName=name)
        yield {"source": f"table:{name}", "content": list(found)}


def streams(endpoint: str) -> Iterator[Json]:
    """Every record that a table's stream still has."""
    reader = client(endpoint, "dynamodbstreams")
    for stream in reader.list_streams()["Streams"]:
        arn, records = stream["StreamArn"], []
        for shard in reader.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            cursor = reader.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            # A shard that is still open always names a next page; an empty one is the end.
            while page := reader.get_records(ShardIterator=cursor)["Records"]:
                records += page
                cursor = reader.get_shard_iterator(
                    StreamArn=arn,
                    ShardId=shard["ShardId"],
                    ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                    SequenceNumber=page[-1]["dynamodb"]["SequenceNumber"],
                )["ShardIterator"]
        yield {"source": f"stream:{stream['TableName']}", "content": records}


def objects(endpoint: str) -> Iterator[Json]:
    """Every object of every bucket, but the zipped functions."""
    s3 = client(endpoint, "s3")
    for bucket in (b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"] != ARTIFACTS):
        for found in pages(s3, "list_objects_v2", "Contents", Bucket=bucket):
            body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
            yield {"source": f"object:{bucket}/{found['Key']}", "content": body}


def queues(endpoint: str) -> Iterator[Json]:
    """Every visible message of every queue; each is made visible again."""
    sqs = client(endpoint, "sqs")
    for url in pages(sqs, "list_queues", "QueueUrls"):
        messages: list[Json] = []
        while batch := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=60,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            messages += batch
        for message in messages:
            sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        yield {"source": f"queue:{url}", "content": messages}
