// sqs-consumer as its guide says for throughput: a handler of batches, ten at a time, which are
// deleted ten at a time. The job does nothing.
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const consumer = Consumer.create({
  queueUrl: process.env.BENCH_QUEUE_URL,
  sqs: new SQSClient({}),
  batchSize: 10,
  waitTimeSeconds: 20,
  handleMessageBatch: async (messages) => messages,
});
consumer.on("error", (error) => {
  console.error(error);
  process.exitCode = 2;
  consumer.stop({ abort: true });
});
process.on("SIGTERM", () => process.exit(0));
consumer.start();
