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
