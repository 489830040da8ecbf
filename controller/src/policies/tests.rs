//! The choice of versions, on a shelf in memory that keeps them.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;

const FILE: &str = "s3://weir/policies/a.yaml";
const OTHER: &str = "s3://weir/policies/b.yaml";

/// Versions of files, oldest first; a version without a text is a removal.
#[derive(Default)]
struct Memory {
    files: Mutex<BTreeMap<String, Vec<Option<String>>>>,
    written: Mutex<BTreeMap<(String, usize), f64>>,
    calls: Mutex<Vec<String>>,
    is_down: Mutex<bool>,
    hides_versions: Mutex<bool>,
}

impl Memory {
    fn put(&self, file: &str, text: &str) {
        self.push(file, Some(text.to_owned()));
    }

    fn remove(&self, file: &str) {
        self.push(file, None);
    }

    fn push(&self, file: &str, text: Option<String>) {
        let mut written = self.written.lock().unwrap();
        let at = written.len() as f64;
        let mut files = self.files.lock().unwrap();
        let versions = files.entry(file.to_owned()).or_default();
        versions.push(text);
        written.insert((file.to_owned(), versions.len()), at);
    }

    fn called(&self, what: String) -> Result<(), PortError> {
        self.calls.lock().unwrap().push(what);
        if *self.is_down.lock().unwrap() {
            let what = "no answer from s3".to_owned();
            return Err(PortError::Refused { what });
        }
        Ok(())
    }

    /// The calls since the last time.
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn versions(&self, file: &str) -> Vec<Option<String>> {
        let files = self.files.lock().unwrap();
        files.get(file).cloned().unwrap_or_default()
    }

    fn mark(&self, file: &str, nth: usize) -> Mark {
        let written = self.written.lock().unwrap();
        Mark {
            id: format!("v{nth}"),
            written: UnixSeconds(written[&(file.to_owned(), nth)]),
        }
    }
}

#[async_trait]
impl Shelf for Memory {
    fn place(&self) -> String {
        "s3://weir/policies/".to_owned()
    }

    async fn list(&self) -> Result<Vec<Listed>, PortError> {
        self.called("list".to_owned())?;
        let files = self.files.lock().unwrap().clone();
        let there = files
            .iter()
            .filter(|(_, all)| all.last().is_some_and(Option::is_some));
        Ok(there
            .map(|(file, versions)| Listed {
                file: file.clone(),
                stamp: format!("v{}", versions.len()),
                written: self.mark(file, versions.len()).written,
            })
            .collect())
    }

    async fn newest(&self, file: &str) -> Result<Option<Edition>, PortError> {
        self.called(format!("newest {}", stem(file)))?;
        let versions = self.versions(file);
        let text = versions.last().cloned().flatten();
        Ok(text.map(|text| Edition {
            mark: self.mark(file, versions.len()),
            stamp: format!("v{}", versions.len()),
            text: Ok(text),
        }))
    }

    async fn earlier(&self, file: &str, newest: &Mark) -> Result<Earlier, PortError> {
        self.called(format!("earlier {}", stem(file)))?;
        if *self.hides_versions.lock().unwrap() {
            let what = "access denied: allow s3:ListBucketVersions".to_owned();
            return Err(PortError::Refused { what });
        }
        let mut earlier = Earlier::default();
        for (nth, text) in self.versions(file).iter().enumerate().rev() {
            let mark = self.mark(file, nth + 1);
            match text {
                None => {
                    earlier.removed_before = true;
                    break;
                }
                Some(_) if mark != *newest => earlier.versions.push(mark),
                Some(_) => {}
            }
        }
        Ok(earlier)
    }

    async fn read(&self, file: &str, version: &Mark) -> Result<Text, PortError> {
        self.called(format!("read {} {}", stem(file), version.id))?;
        let nth: usize = version.id[1..].parse().unwrap();
        Ok(Ok(self.versions(file)[nth - 1].clone().unwrap()))
    }
}

/// A policy for the fleet of this name, with this `max`.
fn yaml(fleet: &str, max: u32) -> String {
    format!(
        "version: 1\nname: {fleet}\nqueues: [{{ name: {fleet} }}]\nfleet: {{ auto_scaling_group: \
         {fleet}-workers, max: {max} }}\nobjective: {{ start_within: 60s, percentile: 99 }}\n"
    )
}

const BAD: &str = "version: 1\nname: a\n";

fn on(shelf: &Arc<Memory>) -> Policies {
    Policies::on(vec![shelf.clone()])
}

/// Fleets in force with their `max`.
fn maxima(policies: &Policies) -> Vec<(String, u32)> {
    let fleets = policies.in_force();
    let each = fleets
        .iter()
        .map(|(name, policy)| (name.clone(), policy.fleet.max.0));
    each.collect()
}

fn is(name: &str, max: u32) -> (String, u32) {
    (name.to_owned(), max)
}

#[tokio::test]
async fn an_edit_is_followed_and_what_is_unchanged_is_not_fetched_again() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 3));
    shelf.put(OTHER, &yaml("b", 4));
    let mut policies = on(&shelf);
    assert!(policies.read().await.is_empty());
    assert_eq!(maxima(&policies), [is("a", 3), is("b", 4)]);
    assert_eq!(shelf.calls(), ["list", "newest a", "newest b"]);

    policies.read().await;
    assert_eq!(shelf.calls(), ["list"]);

    shelf.put(FILE, &yaml("a", 9));
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 9), is("b", 4)]);
    assert_eq!(shelf.calls(), ["list", "newest a"]);
}

#[tokio::test]
async fn of_an_invalid_edit_the_one_in_hand_stays_and_the_refusal_says_all() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 3));
    let mut policies = on(&shelf);
    policies.read().await;
    assert_eq!(policies.standing(), [("a".to_owned(), false)]);

    shelf.put(
        FILE,
        &(yaml("a", 3).replace("max: 3", "max: -3") + "hurry: true\n"),
    );
    shelf.calls();
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 3)]);
    assert_eq!(policies.standing(), [("a".to_owned(), true)]);
    let read_again = ["list", "newest a", "earlier a"];
    assert_eq!(
        shelf.calls(),
        read_again,
        "what is in hand is not read again"
    );
    let refusal = policies.refusals().next().unwrap().to_string();
    insta::assert_snapshot!(refusal, @"s3://weir/policies/a.yaml: version v2 of 1970-01-01T00:00:01.000Z is refused, and version v1 of 1970-01-01T00:00:00.000Z stays in force: s3://weir/policies/a.yaml:4:46: fleet.max: found -3, allowed a whole number from 0 to 100000; s3://weir/policies/a.yaml:6:1: hurry: found an unknown key, allowed version, name, queues, fleet, objective, worker, forecast, scale_out, scale_in, schedule, budget, actuate; remove it");

    shelf.put(FILE, &yaml("a", 5));
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 5)]);
    assert_eq!(policies.standing(), [("a".to_owned(), false)]);
}

#[tokio::test]
async fn a_process_that_begins_walks_back_to_the_last_good_version() {
    let shelf = Arc::new(Memory::default());
    for text in [&yaml("a", 1), &yaml("a", 2), BAD, "nonsense: ["] {
        shelf.put(FILE, text);
    }
    let mut policies = on(&shelf);
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 2)]);
    let walk = ["list", "newest a", "earlier a", "read a v3", "read a v2"];
    assert_eq!(shelf.calls(), walk);
    policies.read().await;
    assert_eq!(shelf.calls(), ["list"], "a refusal is not walked again");
}

#[tokio::test]
async fn a_good_version_between_two_readings_is_not_passed_over() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 1));
    let mut policies = on(&shelf);
    policies.read().await;
    shelf.put(FILE, &yaml("a", 2));
    shelf.put(FILE, BAD);
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 2)]);
}

#[tokio::test]
async fn a_fleet_without_a_good_version_is_left_alone_and_named_by_its_file() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, BAD);
    shelf.put(OTHER, &yaml("b", 4));
    let mut policies = on(&shelf);
    policies.read().await;
    assert_eq!(maxima(&policies), [is("b", 4)]);
    let standing = [("a".to_owned(), true), ("b".to_owned(), false)];
    assert_eq!(policies.standing(), standing);
    let refusal = policies.refusals().next().unwrap().to_string();
    assert!(refusal.contains("its fleet is left alone"), "{refusal}");
}

#[tokio::test]
async fn a_removal_leaves_the_fleet_alone_for_good() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 3));
    let mut policies = on(&shelf);
    policies.read().await;
    shelf.remove(FILE);
    policies.read().await;
    assert_eq!(maxima(&policies), []);
    assert_eq!(policies.standing(), []);

    shelf.put(FILE, BAD);
    policies.read().await;
    assert_eq!(
        maxima(&policies),
        [],
        "what lay before the removal is not to come back"
    );
}

#[tokio::test]
async fn a_removal_between_two_readings_counts_too() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 3));
    let mut policies = on(&shelf);
    policies.read().await;
    shelf.remove(FILE);
    shelf.put(FILE, BAD);
    policies.read().await;
    assert_eq!(maxima(&policies), []);
}

#[tokio::test]
async fn of_two_files_that_want_one_fleet_the_younger_is_refused() {
    for (younger, key) in [
        (yaml("a", 9), "name"),
        (yaml("b", 9).replace("b-workers", "a-workers"), "fleet"),
    ] {
        let shelf = Arc::new(Memory::default());
        shelf.put(OTHER, &yaml("a", 3));
        shelf.put(FILE, &younger);
        let mut policies = on(&shelf);
        policies.read().await;
        assert_eq!(maxima(&policies), [is("a", 3)], "{key}");
        let refusal = policies.refusals().next().unwrap();
        assert_eq!(refusal.file, FILE);
        assert_eq!(refusal.problems.0[0].key, key);
        assert!(refusal.problems.0[0].found.contains(OTHER));
    }
}

#[tokio::test]
async fn an_edit_that_wants_what_another_file_has_keeps_its_own_last_good_version() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 3));
    shelf.put(OTHER, &yaml("b", 4));
    let mut policies = on(&shelf);
    policies.read().await;
    shelf.put(FILE, &yaml("b", 9));
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 3), is("b", 4)]);
    assert_eq!(policies.standing()[0], ("a".to_owned(), true));

    shelf.remove(OTHER);
    policies.read().await;
    assert_eq!(maxima(&policies), [is("b", 9)], "the name is free now");
    assert_eq!(policies.standing(), [("b".to_owned(), false)]);
}

#[tokio::test]
async fn a_name_that_is_handed_on_in_one_edit_is_taken_at_once() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 3));
    shelf.put(OTHER, &yaml("b", 4));
    let mut policies = on(&shelf);
    policies.read().await;
    shelf.put(OTHER, &yaml("a", 9)); // first the one that takes, then the one that gives
    shelf.put(FILE, &yaml("c", 3));
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 9), is("c", 3)]);
    assert_eq!(policies.refusals().count(), 0);
}

#[tokio::test]
async fn out_of_reach_what_is_in_hand_stays_and_is_read_again_later() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 3));
    let mut policies = on(&shelf);
    policies.read().await;
    *shelf.is_down.lock().unwrap() = true;
    shelf.put(FILE, &yaml("a", 5));
    let told = policies.read().await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].to_string(),
        "s3://weir/policies/: no answer from s3"
    );
    assert_eq!(maxima(&policies), [is("a", 3)]);
    *shelf.is_down.lock().unwrap() = false;
    assert!(policies.read().await.is_empty());
    assert_eq!(maxima(&policies), [is("a", 5)]);
}

#[tokio::test]
async fn versions_that_may_not_be_listed_are_asked_for_again_and_the_refusal_stands() {
    let shelf = Arc::new(Memory::default());
    shelf.put(FILE, &yaml("a", 3));
    let mut policies = on(&shelf);
    policies.read().await;
    *shelf.hides_versions.lock().unwrap() = true;
    shelf.put(FILE, BAD);
    for _ in 0..2 {
        assert_eq!(policies.read().await.len(), 1);
        assert_eq!(maxima(&policies), [is("a", 3)]);
        assert_eq!(policies.standing(), [("a".to_owned(), true)]);
    }
}

#[tokio::test]
async fn a_file_on_the_disk_is_read_again_and_its_last_good_text_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    std::fs::write(&file, yaml("a", 3)).unwrap();
    let mut policies = Policies::on(vec![Arc::new(Disk::new(folder.path().into()))]);
    assert!(policies.read().await.is_empty());
    assert_eq!(maxima(&policies), [is("a", 3)]);
    std::fs::write(&file, BAD).unwrap();
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 3)]);
    assert_eq!(policies.standing(), [("a".to_owned(), true)]);
    std::fs::write(&file, yaml("a", 5)).unwrap();
    policies.read().await;
    assert_eq!(maxima(&policies), [is("a", 5)]);
    std::fs::remove_file(&file).unwrap();
    policies.read().await;
    assert_eq!(maxima(&policies), []);
}
