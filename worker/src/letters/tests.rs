use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn message(attributes: BTreeMap<String, Attribute>) -> Message {
    Message {
        id: "message-1".into(),
        receipt: "r".into(),
        body: "body".into(),
        attributes,
        receive_count: Some(7),
        group: Some("group".into()),
        trace_header: Some("Root=1".into()),
        ..Message::default()
    }
}

fn senders(count: usize) -> BTreeMap<String, Attribute> {
    let attribute = |n: usize| match n % 2 {
        0 => Attribute::string(format!("value {n}")),
        _ => Attribute::Binary {
            data_type: "Binary.png".into(),
            value: Bytes::from(vec![0, 255, n.to_le_bytes()[0]]),
        },
    };
    (0..count)
        .map(|n| (format!("Own{n}"), attribute(n)))
        .collect()
}

fn letter() -> Letter {
    Letter {
        attempts: Some(5),
        worker: Some("i-1".into()),
        first_error: Some("no disk".into()),
        token: Some("t".into()),
        ..Letter::new("job", "given up after 5 attempts, the last: no \"luck\"")
    }
}

/// What the dead-letter queue would deliver.
fn delivered(form: &Outgoing) -> Message {
    Message {
        id: "letter-1".into(),
        ..message(form.attributes.clone())
    }
}

#[test]
fn five_attributes_of_the_senders_leave_room_for_all_of_ours() {
    let form = letter().forms(&message(senders(5))).remove(0);
    assert_eq!(form.attributes.len(), 10);
    for name in NAMES {
        assert!(form.attributes.contains_key(name), "{name}");
    }
    assert_eq!(form.attributes[ATTEMPTS].text(), Some("5"));
    assert_eq!(form.group.as_deref(), Some("group"));
    assert_eq!(form.trace_header.as_deref(), Some("Root=1"));
}

#[test]
fn attributes_without_room_travel_inside_the_letter_and_come_back() {
    for count in 0..=10 {
        let original = message(senders(count));
        let form = letter().forms(&original).remove(0);
        assert!(form.attributes.len() <= ATTRIBUTES_MAX);
        let found = delivered(&form);
        let read = Letter::of(&found).unwrap();
        assert_eq!(read.attributes.len(), count.saturating_sub(7), "{count}");
        assert_eq!(
            (found.job_id(), read.reason, read.first_error),
            ("job", letter().reason, letter().first_error),
        );
        assert_eq!(restored(&found.attributes), original.attributes, "{count}");
    }
}

#[test]
fn job_and_payload_attributes_are_never_displaced() {
    let mut attributes = senders(7);
    for name in PINNED {
        attributes.insert(name.into(), Attribute::string("7"));
    }
    let form = letter().forms(&message(attributes.clone())).remove(0);
    for name in PINNED {
        assert!(form.attributes.contains_key(name), "{name}");
    }
    assert_eq!(restored(&form.attributes), attributes);
}

#[test]
fn forms_for_full_messages_say_less_and_keep_the_senders_attributes() {
    let original = message(senders(3));
    let long = Letter::new("job", "é".repeat(600));
    let forms = long.forms(&original);
    assert_eq!(forms.len(), 3);
    let brief = Letter::of(&delivered(&forms[1])).unwrap();
    assert_eq!((brief.job_id.as_str(), brief.reason.len()), ("job", 200));
    assert_eq!(restored(&forms[1].attributes), original.attributes);
    assert_eq!(forms[2].attributes, original.attributes);
    assert_eq!(Letter::of(&delivered(&forms[2])), None);
    // With ten of the sender's own nothing lies between all and nothing.
    assert_eq!(letter().forms(&message(senders(10))).len(), 2);
}

#[test]
fn letters_of_earlier_versions_are_read() {
    let attributes = [
        (REASON, "bad"),
        (ATTEMPTS, "3"),
        (WORKER, "i-9"),
        (JOB_ID, "j"),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), Attribute::string(value)));
    let read = Letter::of(&message(attributes.into())).unwrap();
    assert_eq!((read.job_id.as_str(), read.reason.as_str()), ("j", "bad"));
    assert_eq!(
        (read.attempts, read.worker.as_deref()),
        (Some(3), Some("i-9"))
    );
}

#[test]
fn letter_of_a_letter_is_one_letter() {
    let first = letter().forms(&message(senders(9))).remove(0);
    let second = letter().forms(&delivered(&first)).remove(0);
    assert_eq!(first.attributes, second.attributes);
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let json = r#"{"version":2,"job_id":"j","reason":"r","weather":"fine"}"#;
    let attributes = [(LETTER.to_owned(), Attribute::string(json))];
    let read = Letter::of(&message(attributes.into())).unwrap();
    assert_eq!((read.version, read.job_id.as_str()), (2, "j"));
}

proptest! {
    #[test]
    fn reasons_of_any_text_survive(reason in "\\PC{1,300}", first in "\\PC{0,300}") {
        let wrote = Letter { first_error: Some(first), ..Letter::new("job", reason) };
        let form = wrote.clone().forms(&message(senders(2))).remove(0);
        prop_assert_eq!(Letter::of(&delivered(&form)), Some(wrote));
    }
}
