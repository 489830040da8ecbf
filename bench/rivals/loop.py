"""The loop that AWS's guides show: receive ten with a long poll, do nothing, delete the ten."""

import os

import boto3

queue_url = os.environ["BENCH_QUEUE_URL"]
sqs = boto3.client("sqs")


def handle(body):
    return body


while True:
    answer = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20
    )
    messages = answer.get("Messages", [])
    for message in messages:
        handle(message["Body"])
    if messages:
        entries = [
            {"Id": str(nth), "ReceiptHandle": message["ReceiptHandle"]}
            for nth, message in enumerate(messages)
        ]
        deleted = sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
        if deleted.get("Failed"):
            raise SystemExit(f"deletes failed: {deleted['Failed']}")
