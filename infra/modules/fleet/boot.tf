# How an instance becomes a worker: the files that user data writes. templates/weir-boot.sh does the
# rest, at every boot.
#
# Logs stay in the instance's journal, with what went wrong at boot on its console besides. Shipping
# them needs an agent with settings of its own, which belongs into the image (image_id) or the
# artifact; WEIR_EMF=FILE in `environment` writes metrics for the one of CloudWatch.

locals {
  settings_path = "/etc/weir/worker.yaml"

  environment = merge(
    {
      WEIR_AUTO_SCALING_GROUP = var.group_name
      WEIR_LIFECYCLE_HOOK     = local.drain_hook
      WEIR_LISTEN             = "127.0.0.1:9464" # health and metrics, for whoever is on the machine
    },
    var.settings == null ? {} : { WEIR_CONFIG = local.settings_path },
    var.environment,
  )

  boot_environment = {
    AWS_REGION              = data.aws_region.current.name
    WEIR_ARTIFACT_SHA256    = var.artifact.sha256
    WEIR_ARTIFACT_URL       = "s3://${var.artifact.bucket}/${var.artifact.key}"
    WEIR_AUTO_SCALING_GROUP = var.group_name
    WEIR_BOOT_HOOK          = local.boot_hook
    WEIR_BOOT_SECONDS       = tostring(local.start_seconds)
    WEIR_DRAIN_HOOK         = local.drain_hook
  }

  # systemd's quoting: in double quotes, \ and " are escaped, and $ means nothing.
  environment_files = { for name, environment in { worker = local.environment, boot = local.boot_environment } :
    name => join("\n", [for key, value in environment :
      "${key}=\"${replace(replace(value, "\\", "\\\\"), "\"", "\\\"")}\""
    ])
  }

  files = merge(
    {
      "/etc/weir/boot.env"                      = { mode = "0640", text = local.environment_files.boot }
      "/etc/weir/worker.env"                    = { mode = "0640", text = local.environment_files.worker }
      "/usr/local/sbin/weir-boot"               = { mode = "0755", text = file("${path.module}/templates/weir-boot.sh") }
      "/etc/systemd/system/weir-boot.service"   = { mode = "0644", text = file("${path.module}/templates/weir-boot.service") }
      "/etc/systemd/system/weir-leave.service"  = { mode = "0644", text = file("${path.module}/templates/weir-leave.service") }
      "/etc/systemd/system/weir-worker.service" = { mode = "0644", text = local.unit }
    },
    var.settings == null ? {} : { (local.settings_path) = { mode = "0644", text = var.settings } },
  )

  unit = templatefile("${path.module}/templates/weir-worker.service.tftpl", {
    fleet         = var.name
    memory_max    = var.memory_max
    options       = var.unit_options
    start_seconds = local.start_seconds
  })

  user_data = templatefile("${path.module}/templates/user-data.sh.tftpl", {
    end   = local.end
    files = local.files
  })

  # Ends each file in the user data; no line of any may read so.
  end = "WEIR_END"
}
