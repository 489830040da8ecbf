//! Instances as processes: they boot, log, are ended with all they started, and are missed when
//! they die.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(
    clippy::disallowed_methods,
    reason = "real programs pass real time; every wait has a deadline"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use weir_sandbox::instances::guard::Guard;
use weir_sandbox::instances::{
    Belonging, Died, InstanceProgram, InstanceSettings, Instances, NewInstance,
};

const ID: &str = "i-0000000000000001";
const DEADLINE: Duration = Duration::from_secs(20);

struct Setting {
    instances: Instances,
    deaths: UnboundedReceiver<Died>,
    belonging: Belonging,
    folder: TempDir,
}

fn running(script: &str) -> Setting {
    let folder = tempfile::tempdir().unwrap();
    let belonging = Belonging::new(uuid::Uuid::new_v4().to_string());
    let program = InstanceProgram {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: BTreeMap::new(),
    };
    let (instances, deaths) = Instances::new(InstanceSettings {
        program: Some(program),
        env: BTreeMap::new(),
        faults: None,
        logs: folder.path().to_owned(),
        belonging: belonging.clone(),
    });
    instances.launch(NewInstance {
        id: ID.into(),
        zone: "eu-west-1a".into(),
        env: BTreeMap::new(),
    });
    Setting {
        instances,
        deaths,
        belonging,
        folder,
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let polling = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, polling).await;
    assert!(in_time.is_ok(), "not within {DEADLINE:?}: {what}");
}

fn logged(setting: &Setting) -> String {
    std::fs::read_to_string(setting.instances.log(ID)).unwrap_or_default()
}

#[tokio::test]
async fn a_program_knows_its_metadata_and_its_words_are_kept() {
    let setting = running("echo metadata at $AWS_EC2_METADATA_SERVICE_ENDPOINT; exec sleep 60");
    until("the log", || logged(&setting).contains("http://127.0.0.1:")).await;
    setting.instances.shutdown().await;
}

#[tokio::test]
async fn an_ended_program_is_asked_first() {
    let setting = running("trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.05; done");
    until("the program", || logged(&setting).contains("up")).await;
    setting.instances.end(ID);
    until("the answer", || logged(&setting).contains("asked")).await;
    setting.instances.shutdown().await;
    assert!(setting.belonging.processes().is_empty());
}

#[tokio::test]
async fn nothing_outlives_an_instance_not_even_what_left_its_process_group() {
    // `set -m` gives the background job a process group of its own, as a worker gives a command.
    let setting =
        running("trap '' TERM; set -m; sh -c \"trap '' TERM; sleep 61; :\" & echo up; wait");
    until("the program", || {
        logged(&setting).contains("up") && setting.belonging.processes().len() >= 3
    })
    .await;
    setting.instances.shutdown().await;
    assert!(setting.belonging.processes().is_empty());
}

#[tokio::test]
async fn a_killed_program_is_told_as_a_death() {
    let mut setting = running("echo up; exec sleep 60");
    until("the program", || logged(&setting).contains("up")).await;
    setting.instances.kill(ID, Signal::SIGKILL).unwrap();
    let died = tokio::time::timeout(DEADLINE, setting.deaths.recv()).await;
    let died = died.unwrap().unwrap();
    assert_eq!(died.id, ID);
    assert!(died.how.contains("signal: 9"), "{}", died.how);
    assert!(setting.instances.running().is_empty());
    let error = setting.instances.kill(ID, Signal::SIGKILL).unwrap_err();
    assert!(error.to_string().contains(ID), "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_death_that_says_so() {
    let mut setting = running("exit 7");
    let died = tokio::time::timeout(DEADLINE, setting.deaths.recv()).await;
    let how = died.unwrap().unwrap().how;
    assert!(how.contains("exit status: 7"), "{how}");
}

#[tokio::test]
async fn the_guard_ends_what_a_killed_sandbox_leaves() {
    let setting = running("set -m; sleep 62 & echo up; wait");
    let folder = tempfile::tempdir().unwrap().keep();
    let guard = Guard::start(&setting.belonging, &folder).unwrap();
    until("the program", || setting.belonging.processes().len() >= 2).await;
    // Dropping it closes the pipe, which is all that a SIGKILL of the sandbox does.
    drop(guard);
    until("the processes' end", || {
        setting.belonging.processes().is_empty()
    })
    .await;
    until("the folder's end", || !Path::new(&folder).exists()).await;
}

#[tokio::test]
async fn a_dismissed_guard_touches_nothing() {
    let setting = running("echo up; exec sleep 60");
    let mut guard = Guard::start(&setting.belonging, setting.folder.path()).unwrap();
    until("the program", || logged(&setting).contains("up")).await;
    guard.dismiss().await;
    assert_eq!(setting.instances.running(), [ID]);
    assert!(setting.folder.path().exists());
    setting.instances.shutdown().await;
}
