//! Days on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::{Cache, DayKey, Metric, Points};
use super::recorded::{BEGIN, subject};

fn key() -> DayKey {
    DayKey {
        origin: "eu-west-1".to_owned(),
        subject: subject(),
        period: 60,
        from: BEGIN,
    }
}

fn points() -> BTreeMap<Metric, Points> {
    BTreeMap::from([(
        Metric::Sent,
        Points::from([(BEGIN, 1.5), (BEGIN + 60, 0.1 + 0.2)]),
    )])
}

/// A cache, its folder, and the one file in it.
fn kept() -> (Cache, TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("cache"));
    let mut notes = Vec::new();
    cache.put(&key(), points(), &mut notes);
    assert_eq!(notes, [""; 0]);
    let mut path = folder.path().to_owned();
    while path.is_dir() {
        let entries: Vec<PathBuf> = std::fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        let [only] = entries.as_slice() else {
            panic!("one entry: {entries:?}")
        };
        path.clone_from(only);
    }
    (cache, folder, path)
}

#[test]
fn a_day_comes_back_as_it_was_kept() {
    let (cache, _folder, path) = kept();
    let mut notes = Vec::new();
    assert_eq!(cache.get(&key(), &mut notes), Some(points()));
    assert!(path.ends_with("60s/2026-11-02.json"), "{}", path.display());
    assert_eq!(notes, [""; 0]);
}

#[test]
fn no_other_day_is_taken_for_it() {
    let (cache, _folder, _) = kept();
    let others = [
        DayKey {
            origin: "eu-west-2".to_owned(),
            ..key()
        },
        DayKey {
            period: 300,
            ..key()
        },
        DayKey {
            from: BEGIN + 86_400,
            ..key()
        },
        DayKey {
            subject: super::super::Subject {
                group: "others".to_owned(),
                ..subject()
            },
            ..key()
        },
    ];
    for other in others {
        assert_eq!(cache.get(&other, &mut Vec::new()), None, "{other:?}");
    }
}

#[test]
fn a_broken_file_is_set_aside_with_a_note() {
    let (cache, _folder, path) = kept();
    for broken in ["{", "", "{\"version\":1}", "\u{0}\u{1}"] {
        std::fs::write(&path, broken).unwrap();
        let mut notes = Vec::new();
        assert_eq!(cache.get(&key(), &mut notes), None);
        assert!(notes[0].contains("set aside"), "{notes:?}");
        assert!(!path.exists());
        assert!(path.with_extension("json.broken").exists());
    }
    cache.put(&key(), points(), &mut Vec::new());
    assert_eq!(cache.get(&key(), &mut Vec::new()), Some(points()));
}

#[test]
fn a_file_of_another_version_is_fetched_anew_in_silence() {
    let (cache, _folder, path) = kept();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
    let mut notes = Vec::new();
    assert_eq!(cache.get(&key(), &mut notes), None);
    assert_eq!(notes, [""; 0]);
    assert!(path.exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_one_note() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let cache = Cache::at(file);
    let mut notes = Vec::new();
    cache.put(&key(), points(), &mut notes);
    cache.put(
        &DayKey {
            from: BEGIN + 86_400,
            ..key()
        },
        points(),
        &mut notes,
    );
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("not kept"), "{notes:?}");
}

#[test]
fn names_from_aws_do_not_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("cache"));
    let mut key = key();
    key.subject.queue = "../../../x/..".to_owned();
    key.subject.group = "a/b c".to_owned();
    cache.put(&key, points(), &mut Vec::new());
    assert_eq!(cache.get(&key, &mut Vec::new()), Some(points()));
    let entries = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(entries, 1);
}

#[test]
fn without_a_folder_nothing_is_kept() {
    let cache = Cache::none();
    cache.put(&key(), points(), &mut Vec::new());
    assert_eq!(cache.get(&key(), &mut Vec::new()), None);
}
