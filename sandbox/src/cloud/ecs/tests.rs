use super::*;

const ID: (&str, &str) = ("media", "thumbs");

fn at(seconds: u64) -> Time {
    Time::from_secs(1_700_000_000 + seconds)
}

/// So many tasks that run; booting takes a second.
fn running(count: usize) -> Ecs {
    let mut ecs = Ecs::new(0, &CloudConfig::default());
    ecs.create_service(ID, count).unwrap();
    ecs.advance(at(0));
    ecs.advance(at(1));
    assert_eq!(ecs.drain_events().len(), count);
    ecs
}

fn ids(ecs: &Ecs) -> Vec<String> {
    let service = ecs.service("media", "thumbs").unwrap();
    service.wanted().map(|task| task.id.clone()).collect()
}

#[test]
fn a_service_starts_what_is_missing_and_replaces_what_exits() {
    let mut ecs = running(2);
    let first = ids(&ecs)[0].clone();
    assert!(ecs.exited(&first, at(2)));
    assert_eq!(ids(&ecs).len(), 2);
    assert!(!ids(&ecs).contains(&first));
    assert_eq!(ecs.started(), 3);
    assert!(!ecs.exited("i-0", at(2)));
}

#[test]
fn a_protected_task_is_not_stopped_and_its_exit_not_replaced_below_the_count() {
    let mut ecs = running(2);
    let all = ids(&ecs);
    for id in &all {
        ecs.protect(id, Some(60), at(2)).unwrap();
    }
    ecs.set_desired(ID, 1, at(3)).unwrap();
    assert_eq!(ids(&ecs), all);
    assert!(ecs.drain_events().is_empty());
    ecs.exited(&all[0], at(4));
    assert_eq!(ids(&ecs), all[1..]);
    assert_eq!(ecs.started(), 2);
}

#[test]
fn protection_runs_out_and_then_the_surplus_is_stopped() {
    let mut ecs = running(1);
    let id = ids(&ecs)[0].clone();
    ecs.protect(&id, Some(1), at(2)).unwrap();
    ecs.set_desired(ID, 0, at(3)).unwrap();
    assert_eq!(ecs.next_event_at(), Some(at(62)));
    ecs.advance(at(62));
    assert_eq!(ecs.drain_events(), [Event::Stopped { task: id }]);
}

#[test]
fn what_is_starting_goes_before_what_runs() {
    let mut ecs = running(1);
    let runs = ids(&ecs);
    ecs.set_desired(ID, 2, at(2)).unwrap();
    ecs.set_desired(ID, 1, at(2)).unwrap();
    assert_eq!(ids(&ecs), runs);
}

#[test]
fn protection_is_for_tasks_that_run_and_for_two_days_at_most() {
    let mut ecs = running(1);
    let id = ids(&ecs)[0].clone();
    assert!(ecs.protect(&id, Some(0), at(2)).is_err());
    assert!(ecs.protect(&id, Some(2881), at(2)).is_err());
    assert_eq!(
        ecs.protect("absent", Some(1), at(2)).unwrap_err().code,
        "TASK_NOT_VALID"
    );
}
