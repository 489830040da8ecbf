#!/usr/bin/env bash
# Brings this instance into service, and lets it go.
#
#   weir-boot         installs the worker, starts it once the group wants the instance, and tells the
#                     launching hook how that went; at every boot
#   weir-boot leave   for an instance whose worker has ended: tells the terminating hook, once it waits
#
# What differs between fleets is in /etc/weir/boot.env. What is said here goes to journal and console.
set -euo pipefail

readonly home=/opt/weir installed=/opt/weir/.sha256
readonly imds=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
readonly pause=5 # seconds between tries

say() { echo "weir-boot: $*" >&2; }

# One value of the instance's metadata, version 2. Fails where there is none.
metadata() {
  local token
  token=$(curl -fsS -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$imds/latest/api/token") &&
    curl -fsS -m 2 -H "X-aws-ec2-metadata-token: $token" "$imds/latest/meta-data/$1"
}

# Where the group wants this instance: InService, Terminated, Warmed:Stopped and so on. The first
# seconds of an instance may be without it.
wanted() {
  local tries
  for tries in 1 2 3 4 5 6; do
    metadata autoscaling/target-lifecycle-state 2>/dev/null && return
    sleep "$pause"
  done
  say "no target lifecycle state in $tries tries: taken for an instance without a group"
}

# Tells a hook. Nothing waits when the instance is in service already, or started by hand.
complete() {
  local hook=$1 result=$2 instance answer tries
  instance=$(metadata instance-id)
  for tries in 1 2 3 4 5 6; do
    answer=$(aws autoscaling complete-lifecycle-action --auto-scaling-group-name "$WEIR_AUTO_SCALING_GROUP" \
      --lifecycle-hook-name "$hook" --instance-id "$instance" --lifecycle-action-result "$result" 2>&1) && {
      say "told $hook: $result"
      return 0
    }
    if [[ $answer == *"No active Lifecycle Action"* ]]; then
      say "nothing waits for $hook"
      return 1
    fi
    say "could not tell $hook ($tries of 6): $answer"
    sleep "$pause"
  done
  return 1
}

# The worker, checked by its digest; not fetched again where the same one is installed already. The
# first seconds of an instance may be without network or role.
install_worker() {
  local archive tries
  [[ -f $installed && $(<"$installed") == "$WEIR_ARTIFACT_SHA256" ]] && return
  archive=$(mktemp)
  for tries in 1 2 3 4 5 6; do
    aws s3 cp --only-show-errors "$WEIR_ARTIFACT_URL" "$archive" && break
    [[ $tries -lt 6 ]] || { say "$WEIR_ARTIFACT_URL could not be fetched in $tries tries" && return 1; }
    sleep "$((tries * pause))"
  done
  echo "$WEIR_ARTIFACT_SHA256  $archive" | sha256sum --check --status - ||
    { say "$WEIR_ARTIFACT_URL is not the file of SHA-256 $WEIR_ARTIFACT_SHA256: nothing of it runs" && return 1; }
  { tar -xzf "$archive" -C "$home" --no-same-owner && chmod 0755 "$home/weir-worker"; } ||
    { say "$WEIR_ARTIFACT_URL is no archive with weir-worker at its top" && return 1; }
  rm -f "$archive"
  echo "$WEIR_ARTIFACT_SHA256" >"$installed"
}

# Type=notify: the start is done when the worker says READY. Tried until the hook would give up;
# settings that are wrong (64) stay wrong.
start_worker() {
  SECONDS=0 # what a warm pool took does not count
  until systemctl start weir-worker.service; do
    [[ $(systemctl show -P ExecMainStatus weir-worker.service) != 64 ]] ||
      { say "the worker refuses its settings: journalctl -u weir-worker" && return 1; }
    [[ $SECONDS -lt $WEIR_BOOT_SECONDS ]] ||
      { say "the worker was not ready in $WEIR_BOOT_SECONDS s: journalctl -u weir-worker" && return 1; }
    sleep "$pause"
  done
}

# A launch that failed ends the instance, and with it what it could have taken from the queue. One
# that was in service before stays: systemd goes on starting its worker.
abandon() {
  say "$1"
  complete "$WEIR_BOOT_HOOK" ABANDON && systemctl stop weir-worker.service && leave
  exit 1
}

# Nobody else is left to let the instance go.
leave() {
  until [[ $(wanted) == *Terminated ]]; do sleep "$pause"; done
  complete "$WEIR_DRAIN_HOOK" CONTINUE || true
}

boot() {
  local state
  install_worker || abandon "the worker is not installed"
  state=$(wanted)
  if [[ $state == Warmed:* ]]; then
    # Prepared: the pool may stop or hibernate the instance now. Running and hibernated ones go on
    # here when they are taken out; stopped ones boot again.
    complete "$WEIR_BOOT_HOOK" CONTINUE || true
    while [[ $state == Warmed:* && $state != Warmed:Terminated ]]; do
      sleep "$pause"
      state=$(wanted)
    done
  fi
  if [[ $state == *Terminated ]]; then leave && return; fi
  start_worker || abandon "the worker is not in service"
  complete "$WEIR_BOOT_HOOK" CONTINUE || true
}

"${1:-boot}"
