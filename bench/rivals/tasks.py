"""A Celery app on SQS with one task that does nothing; run as a program, it sends one, to be copied."""

import os
import sys

from celery import Celery

# Celery's name for the queue stands in each message, so it is the same in every run.
QUEUE = "bench"

app = Celery("tasks", broker="sqs://")
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    worker_prefetch_multiplier=10,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "region": os.environ["AWS_REGION"],
        "is_secure": False,
        "wait_time_seconds": 20,
        "visibility_timeout": 60,
        # By default it waits a second whenever its prefetch is full.
        "polling_interval": 0.01,
        "predefined_queues": {QUEUE: {"url": os.environ["BENCH_QUEUE_URL"]}},
    },
)


@app.task(name="nothing")
def nothing(body):
    return None


if __name__ == "__main__":
    nothing.delay(sys.argv[1])
