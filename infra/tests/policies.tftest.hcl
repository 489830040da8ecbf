# modules/policies: from YAML to the values that everything is built from.

run "reads_every_value" {
  command = plan

  module {
    source = "./modules/policies"
  }

  variables {
    folder = "./tests/fixtures/fleets"
  }

  assert {
    condition     = join(",", keys(output.by_name)) == "mails,reports,videos"
    error_message = "One fleet a *.yaml and none besides, but got ${join(", ", keys(output.by_name))}."
  }

  assert {
    condition = (output.by_name["videos"].group == "video-workers"
      && output.by_name["videos"].min_size == 2 && output.by_name["videos"].max_size == 17
      && output.by_name["videos"].queues[0].name == "shared" && output.by_name["videos"].queues[0].weight == 3
      && output.by_name["videos"].slots == 3
    && output.by_name["videos"].actuate == "target_tracking")
    error_message = "Not what full.yaml says: ${jsonencode(output.by_name["videos"])}"
  }

  assert {
    condition     = output.by_name["videos"].service_seconds == 90 && output.by_name["videos"].boot_seconds == 120.5
    error_message = "1m30s and 2m 500ms were read as ${jsonencode(output.by_name["videos"])}"
  }

  assert {
    condition     = output.by_name["videos"].text == file("./tests/fixtures/fleets/full.yaml")
    error_message = "The controller must get the file's own text."
  }
}

run "leaves_what_is_not_said_unknown" {
  command = plan

  module {
    source = "./modules/policies"
  }

  variables {
    folder = "./tests/fixtures/fleets"
  }

  assert {
    condition = (output.by_name["mails"].slots == null && output.by_name["mails"].service_seconds == null
    && output.by_name["mails"].boot_seconds == null && output.by_name["mails"].actuate == "desired_capacity")
    error_message = "silent.yaml was given values of its own: ${jsonencode(output.by_name["mails"])}"
  }
}

run "derives_visibility_from_service_time" {
  command = plan

  module {
    source = "./modules/policies"
  }

  variables {
    folder = "./tests/fixtures/fleets"
  }

  assert {
    condition     = { for name, queue in output.queues : name => queue.visibility_timeout_seconds } == { reports = 900, shared = 540 }
    error_message = "Six service times between 60 s and 900 s, the slowest fleet on a shared queue deciding; got ${jsonencode(output.queues)}."
  }

  assert {
    condition     = output.by_name["mails"].visibility_timeout_seconds == 60
    error_message = "Without a service time a minute holds; got ${output.by_name["mails"].visibility_timeout_seconds}."
  }
}

run "refuses_files_it_cannot_build_from" {
  command = plan

  module {
    source = "./modules/policies"
  }

  variables {
    folder = "./tests/fixtures/broken"
  }

  expect_failures = [output.by_name, output.queues]
}

run "refuses_two_files_for_one_fleet" {
  command = plan

  module {
    source = "./modules/policies"
  }

  variables {
    folder = "./tests/fixtures/twins"
  }

  expect_failures = [output.by_name, output.queues]
}

run "refuses_a_folder_without_policies" {
  command = plan

  module {
    source = "./modules/policies"
  }

  variables {
    folder = "./tests/fixtures/empty"
  }

  expect_failures = [output.by_name, output.queues]
}

# File by file, and against `weir validate`: verdicts.py.
run "takes_the_whole_corpus_of_good_files" {
  command = plan

  module {
    source = "./modules/policies"
  }

  variables {
    folder = "./tests/policies/good"
  }

  assert {
    condition     = length(output.by_name) == length(fileset("./tests/policies/good", "*.yaml"))
    error_message = "Each good file gives a fleet."
  }

  assert {
    condition     = output.queues["queue-all-keys"] == { visibility_timeout_seconds = 43200, max_receive_count = 1000, max_receive_count_derived = 10 }
    error_message = "What a policy says of a queue goes before what follows: ${jsonencode(output.queues["queue-all-keys"])}."
  }

  assert {
    condition     = output.queues["worker-all-keys"].max_receive_count == null && output.queues["worker-all-keys"].max_receive_count_derived == 1000
    error_message = "Twice the attempts, but no more than SQS counts: ${jsonencode(output.queues["worker-all-keys"])}."
  }

  assert {
    condition     = output.by_name["fleet-service"].ecs_service == { cluster = "media", service = "fleet-service" } && output.by_name["fleet-service"].group == null
    error_message = "A service is a cluster and a name: ${jsonencode(output.by_name["fleet-service"])}."
  }

  assert {
    condition     = output.by_name["duration-02"].start_within_seconds == 1209600 && output.by_name["duration-05"].start_within_seconds == 9000 && output.by_name["duration-12"].start_within_seconds == 9000.5
    error_message = "336h, 2 hours and 30 min, pt2h30m0.5s were read as ${jsonencode([for n in ["02", "05", "12"] : output.by_name["duration-${n}"].start_within_seconds])}."
  }
}

run "refuses_the_corpus_of_bad_files" {
  command = plan

  module {
    source = "./modules/policies"
  }

  variables {
    folder = "./tests/policies/bad"
  }

  expect_failures = [output.by_name, output.queues]
}
