"""The cases that moto 5.2.1 gets wrong, each with what AWS documents and what moto does, those that
are about the small cloud itself, and those that end one way or the other.

Operations are pages of SQS's API reference, "Guide" is the Amazon SQS Developer Guide; the cases
quote them.
"""

WRONG = {
    "sqs_batches::characters_outside_of_xml_are_refused": (
        "SendMessage: characters outside of XML 1.0 are InvalidMessageContents",
        "takes them",
    ),
    "sqs_messages::a_long_poll_ends_when_a_visibility_timeout_ends": (
        "ReceiveMessage: a long poll gives what becomes visible before it ends",
        "ends a poll without a last look when the clock is moved past its end",
    ),
    "sqs_messages::a_message_received_too_often_goes_to_the_dead_letter_queue": (
        "ReceiveMessage: DeadLetterQueueSourceArn names the queue that a dead letter came from",
        "has no such attribute",
    ),
    "sqs_messages::an_old_receipt_handle_deletes_nothing": (
        "DeleteMessage: with any but the most recent handle the message might not be deleted",
        "deletes with every handle that was ever given out",
    ),
    "sqs_messages::messages_expire": (
        "Guide, quotas: a message is deleted after its retention",
        "counts it until somebody receives",
    ),
    "sqs_messages::visibility_can_be_changed_while_in_flight": (
        "ChangeMessageVisibility: MessageNotInflight for a message that is not in flight",
        "changes it all the same",
    ),
    "sqs_messages::visibility_of_a_message_that_is_gone_cannot_be_changed": (
        "ChangeMessageVisibility: InvalidParameterValue",
        "answers ReceiptHandleIsInvalid",
    ),
    "sqs_queues::a_deleted_name_can_be_used_again_after_a_minute": (
        "DeleteQueue: a name cannot be used again for 60 seconds",
        "lets it be used at once",
    ),
    "sqs_queues::a_purge_removes_every_message_once_a_minute": (
        "PurgeQueue: PurgeQueueInProgress within 60 seconds of the last",
        "purges again at once",
    ),
    "sqs_queues::a_redrive_policy_needs_a_dead_letter_queue_that_exists": (
        "CreateQueue: a wrong RedrivePolicy is an invalid parameter",
        "answers that the queue itself does not exist",
    ),
    "sqs_queues::attributes_have_defaults_and_can_be_set": (
        "SetQueueAttributes: a VisibilityTimeout beyond 43,200 is InvalidAttributeValue",
        "sets it",
    ),
    "sqs_fifo::a_batch_keeps_its_order": (
        "SendMessageBatch: each entry succeeds or fails by itself",
        "refuses the whole batch for an entry without a group",
    ),
    "sqs_fifo::a_dead_letter_is_kept_for_the_whole_retention_of_its_queue": (
        "Guide, dead-letter queue retention: on a FIFO queue the enqueue timestamp resets",
        "lets it expire by the time of its first send",
    ),
    "sqs_fifo::a_dead_letter_queue_is_of_the_same_type_and_unlocks_the_group": (
        "CreateQueue: the dead-letter queue of a standard queue must be a standard queue",
        "takes a FIFO queue",
    ),
    "sqs_fifo::a_delete_after_the_visibility_timeout_fails": (
        "ReceiveMessage, ReceiveRequestAttemptId: the delete fails with an error",
        "deletes",
    ),
    "sqs_fifo::a_fifo_queue_has_attributes_of_its_own": (
        "CreateQueue, FifoQueue: cannot be changed for an existing queue",
        "changes it",
    ),
    "sqs_fifo::a_long_poll_ends_when_its_group_is_unlocked": (
        "ReceiveMessage: a long poll ends when a message is there to be had",
        "looks which groups are locked once, when the poll begins",
    ),
    "sqs_fifo::a_message_needs_a_group_and_a_deduplication_id": (
        "SendMessage: ids of up to 128 letters, digits and punctuation marks",
        "takes an empty group for none, and any other text for a group",
    ),
    "sqs_fifo::a_receive_takes_a_group_in_order_before_the_next": (
        "Guide, FIFO queue delivery logic: as many of one group as possible",
        "goes by the order of sending alone",
    ),
    "sqs_fifo::a_send_is_taken_once_within_five_minutes": (
        "SendMessage: the id is tracked after the message is received and deleted",
        "forgets it with the message, and answers a repeated send with a new message id",
    ),
    "sqs_fifo::a_standard_queue_takes_groups_and_locks_none": (
        "SendMessage: MessageDeduplicationId applies only to FIFO queues",
        "takes it on a standard queue",
    ),
    "sqs_fifo::groups_can_have_deduplication_ids_of_their_own": (
        "Guide, high throughput for FIFO queues: DeduplicationScope messageGroup",
        "keeps the attribute without effect",
    ),
    "sqs_fifo::only_the_queue_itself_can_delay": (
        "SendMessage, DelaySeconds: a FIFO queue delays by its own setting",
        "lets a zero take the setting's place",
    ),
    "sqs_fifo::the_name_of_a_fifo_queue_ends_in_fifo": (
        "CreateQueue: the suffix .fifo belongs to FIFO queues",
        "makes a standard queue of that name when FifoQueue is false",
    ),
    "sqs_fifo::what_comes_again_comes_first": (
        "Guide, FIFO queue delivery logic: the order holds when messages come again",
        "leaves out the first of a group whose time was up",
    ),
    "queue: arrives whole": (
        "SendMessageBatch: AWSTraceHeader is kept as a message system attribute",
        "drops it",
    ),
    "queue: a renewal after its time is refused": (
        "ChangeMessageVisibility: MessageNotInflight for a message that is not in flight",
        "changes it all the same",
    ),
    "fifo_queue: a delete wakes the poll of its group": (
        "ReceiveMessage: a long poll ends when a message is there to be had",
        "looks which groups are locked once, when the poll begins",
    ),
    "fifo_queue: a repeated send is swallowed": (
        "SendMessage: a repeated send is accepted as the message that was sent before",
        "swallows it, but answers with the id of a message that does not exist",
    ),
    "fifo_queue: a send is remembered after the message is deleted": (
        "SendMessage: the id is tracked after the message is received and deleted",
        "forgets it with the message",
    ),
    "fifo_queue: a late delete is refused": (
        "ReceiveMessage, ReceiveRequestAttemptId: the delete fails with an error",
        "deletes",
    ),
    "fifo_queue: refuses what has no place in it": (
        "SendMessageBatch: each entry succeeds or fails by itself",
        "refuses the whole batch for an entry without a group",
    ),
}

OWN = {
    "sqs_messages::counts_are_late_when_so_configured": "how late counts are is set on the small cloud",
    "sqs_queues::an_operation_that_is_not_played_is_named": "which operations the small cloud leaves out",
    "sqs_queues::calls_are_counted": "the small cloud's count of calls",
}

EITHER_WAY = {
    "sqs_fifo::a_message_comes_with_its_group_and_a_sequence_number": "the sequence number grows "
    "within a group; moto makes numbers up at random, one order in six is the right one",
    "sqs_messages::a_long_poll_that_hangs_up_takes_nothing": (
        "a poll that nobody waits for any more goes on in moto, as it may in AWS, and races the next one"
    ),
}
