//! Auto Scaling: lifecycle hooks, and what the instance runner is told.

use std::time::Duration;

use aws_sdk_autoscaling::types::LifecycleState;
use weir_sandbox::cloud;
use weir_sandbox::cloud::autoscaling::{Event, TargetState};

use crate::autoscaling::{described, group, ids_in};
use crate::harness::{Aws, code};

async fn put_hook(aws: &Aws, name: &str, transition: &str, [heartbeat, result]: [&str; 2]) {
    aws.autoscaling()
        .put_lifecycle_hook()
        .auto_scaling_group_name("workers")
        .lifecycle_hook_name(name)
        .lifecycle_transition(format!("autoscaling:EC2_INSTANCE_{transition}"))
        .heartbeat_timeout(heartbeat.parse().unwrap())
        .default_result(result)
        .send()
        .await
        .unwrap();
}

async fn end(aws: &Aws, id: &str) {
    let end = aws
        .autoscaling()
        .terminate_instance_in_auto_scaling_group()
        .instance_id(id);
    end.should_decrement_desired_capacity(true)
        .send()
        .await
        .unwrap();
}

async fn complete(aws: &Aws, id: &str, result: &str) -> Result<(), String> {
    let complete = aws
        .autoscaling()
        .complete_lifecycle_action()
        .auto_scaling_group_name("workers");
    let complete = complete.lifecycle_hook_name("weir-drain").instance_id(id);
    let done = complete.lifecycle_action_result(result).send().await;
    done.map(|_| ()).map_err(|error| code(&error).to_owned())
}

/// "Amazon EC2 Auto Scaling lifecycle hooks", "How lifecycle hooks work": a terminating instance waits in
/// `Terminating:Wait` until the action is completed.
#[tokio::test]
async fn a_terminating_hook_holds_the_instance_until_it_is_completed() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    put_hook(&aws, "weir-drain", "TERMINATING", ["3600", "CONTINUE"]).await;
    let id = ids_in(&aws, LifecycleState::InService).await.remove(0);
    end(&aws, &id).await;
    aws.skip(600);
    assert_eq!(
        ids_in(&aws, LifecycleState::TerminatingWait).await,
        [id.as_str()]
    );
    complete(&aws, &id, "CONTINUE").await.unwrap();
    assert!(described(&aws).await.instances().is_empty());
    assert_eq!(
        complete(&aws, &id, "CONTINUE").await,
        Err("ValidationError".into()),
        "it is gone"
    );
}

/// `TerminateInstanceInAutoScalingGroup` on an instance that is leaving already: it is not counted a
/// second time.
#[tokio::test]
async fn ending_an_instance_twice_shrinks_the_group_once() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 2]).await;
    put_hook(&aws, "weir-drain", "TERMINATING", ["3600", "CONTINUE"]).await;
    let id = ids_in(&aws, LifecycleState::InService).await.remove(0);
    end(&aws, &id).await;
    let again = aws
        .autoscaling()
        .terminate_instance_in_auto_scaling_group()
        .instance_id(&id);
    let error = again
        .should_decrement_desired_capacity(true)
        .send()
        .await
        .unwrap_err();
    assert!(
        error
            .into_service_error()
            .is_scaling_activity_in_progress_fault()
    );
    assert_eq!(described(&aws).await.desired_capacity(), Some(1));
}

/// `PutLifecycleHook`, `HeartbeatTimeout` and `DefaultResult`; `RecordLifecycleActionHeartbeat`: "This
/// extends the timeout by the length of time defined using the `PutLifecycleHook` API call."
#[tokio::test]
async fn a_heartbeat_extends_the_hold_and_silence_ends_it() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    put_hook(&aws, "weir-drain", "TERMINATING", ["60", "ABANDON"]).await;
    let id = ids_in(&aws, LifecycleState::InService).await.remove(0);
    end(&aws, &id).await;
    aws.skip(50);
    let beat = aws
        .autoscaling()
        .record_lifecycle_action_heartbeat()
        .auto_scaling_group_name("workers");
    beat.lifecycle_hook_name("weir-drain")
        .instance_id(&id)
        .send()
        .await
        .unwrap();
    aws.skip(50);
    assert_eq!(ids_in(&aws, LifecycleState::TerminatingWait).await, [id]);
    aws.skip(11);
    assert!(described(&aws).await.instances().is_empty());
}

/// As above, the global timeout: 48 hours or 100 heartbeats, whichever is less.
#[tokio::test]
async fn heartbeats_do_not_hold_for_ever() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    put_hook(&aws, "weir-drain", "TERMINATING", ["30", "CONTINUE"]).await;
    let hooks = aws
        .autoscaling()
        .describe_lifecycle_hooks()
        .auto_scaling_group_name("workers");
    let hooks = hooks.send().await.unwrap();
    assert_eq!(hooks.lifecycle_hooks()[0].global_timeout(), Some(3_000));
    let id = ids_in(&aws, LifecycleState::InService).await.remove(0);
    end(&aws, &id).await;
    let beat = || {
        let beat = aws.autoscaling().record_lifecycle_action_heartbeat();
        let beat = beat
            .auto_scaling_group_name("workers")
            .lifecycle_hook_name("weir-drain");
        beat.instance_id(&id).send()
    };
    for _ in 0..119 {
        aws.skip(25);
        beat().await.unwrap();
    }
    aws.skip(25);
    assert_eq!(code(&beat().await.unwrap_err()), "ValidationError");
    assert!(described(&aws).await.instances().is_empty());
}

/// `PutLifecycleHook`: a terminating hook also holds what scale-in chose, and several hooks hold until
/// the last is completed; `ABANDON` "stops any remaining actions, such as other lifecycle hooks".
#[tokio::test]
async fn every_hook_holds_unless_one_abandons() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 2]).await;
    put_hook(&aws, "weir-drain", "TERMINATING", ["3600", "CONTINUE"]).await;
    put_hook(&aws, "other", "TERMINATING", ["3600", "CONTINUE"]).await;
    let set = aws
        .autoscaling()
        .set_desired_capacity()
        .auto_scaling_group_name("workers");
    set.desired_capacity(0).send().await.unwrap();
    let ids = ids_in(&aws, LifecycleState::TerminatingWait).await;
    assert_eq!(ids.len(), 2);
    complete(&aws, &ids[0], "CONTINUE").await.unwrap();
    assert_eq!(
        ids_in(&aws, LifecycleState::TerminatingWait).await,
        ids,
        "the other still holds"
    );
    complete(&aws, &ids[1], "ABANDON").await.unwrap();
    assert_eq!(
        ids_in(&aws, LifecycleState::TerminatingWait).await,
        ids[..1]
    );
}

/// "How lifecycle hooks work": a launching instance waits in `Pending:Wait`; `CONTINUE` puts it into
/// service, `ABANDON` ends it and another one is launched.
#[tokio::test]
async fn a_launching_hook_holds_a_new_instance() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 0]).await;
    put_hook(&aws, "weir-drain", "LAUNCHING", ["3600", "ABANDON"]).await;
    let set = aws
        .autoscaling()
        .set_desired_capacity()
        .auto_scaling_group_name("workers");
    set.desired_capacity(1).send().await.unwrap();
    aws.skip(2);
    let first = ids_in(&aws, LifecycleState::PendingWait).await;
    complete(&aws, &first[0], "ABANDON").await.unwrap();
    aws.skip(2);
    let second = ids_in(&aws, LifecycleState::PendingWait).await;
    assert_ne!(first, second);
    complete(&aws, &second[0], "CONTINUE").await.unwrap();
    assert_eq!(ids_in(&aws, LifecycleState::InService).await, second);
}

/// `DeleteLifecycleHook`: "If there are any outstanding lifecycle actions, they are completed first
/// (`ABANDON` for launching instances, `CONTINUE` for terminating instances)."
#[tokio::test]
async fn deleting_a_hook_lets_go_of_what_it_holds() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    put_hook(&aws, "weir-drain", "TERMINATING", ["3600", "CONTINUE"]).await;
    let id = ids_in(&aws, LifecycleState::InService).await.remove(0);
    end(&aws, &id).await;
    let delete = aws
        .autoscaling()
        .delete_lifecycle_hook()
        .auto_scaling_group_name("workers");
    delete
        .lifecycle_hook_name("weir-drain")
        .send()
        .await
        .unwrap();
    assert!(described(&aws).await.instances().is_empty());
}

/// The instance runner is told of each instance's coming, of its way out, and of its end, in order; the
/// state it is on its way to is what its metadata says ("Retrieve the target lifecycle state through
/// instance metadata").
#[tokio::test]
async fn the_runner_hears_of_each_instance() {
    let mut aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    let Event::Launched { group, instance } = next(&mut aws).await else {
        panic!("an instance comes first")
    };
    assert_eq!(group, "workers");
    assert_eq!(instance.tags["aws:autoscaling:groupName"], "workers");
    put_hook(&aws, "weir-drain", "TERMINATING", ["3600", "CONTINUE"]).await;
    end(&aws, &instance.id).await;
    let Event::LifecycleStateChanged {
        instance: leaving,
        target_state,
    } = next(&mut aws).await
    else {
        panic!("then it is to leave")
    };
    assert_eq!(
        (leaving.as_str(), target_state),
        (instance.id.as_str(), TargetState::Terminated)
    );
    complete(&aws, &instance.id, "CONTINUE").await.unwrap();
    let Event::Ended { instance: ended } = next(&mut aws).await else {
        panic!("then it is gone")
    };
    assert_eq!(ended, instance.id);
}

async fn next(aws: &mut Aws) -> Event {
    let event = tokio::time::timeout(Duration::from_secs(5), aws.events.recv()).await;
    let event = event.expect("an event within five seconds");
    let cloud::Event::Instance(event) = event.expect("the driver runs") else {
        panic!("no task of ECS is about");
    };
    event
}
