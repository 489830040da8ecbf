//! The change of a policy's text that leaves everything else as it stands: comments, layout, line
//! ends.
//!
//! Owns the edit and its proof: the new text is read again and must say exactly what was meant. It
//! must not touch a file.

use std::fmt::Write as _;

use similar::TextDiff;
use yaml_edit::path::{PathError, YamlPath};
use yaml_edit::{Document, YamlNode};

use super::settings::{Key, Settings};
use crate::policy::{self, Policy, Problems};

/// A policy's text, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// As it stands.
    pub before: String,
    /// With the settings meant.
    pub after: String,
}

/// Why a text cannot be changed without harm. Nothing is lost: the change can be typed in.
#[derive(Debug, thiserror::Error)]
pub enum NotEdited {
    /// The text is no policy to begin with.
    #[error("{0}")]
    Unread(Problems),
    /// The editor does not understand the text.
    #[error("{file}: cannot be edited in place ({why}); type in by hand:\n{by_hand}")]
    Unparsed {
        /// The file.
        file: String,
        /// The editor's word.
        why: String,
        /// The settings, as they are written.
        by_hand: String,
    },
    /// There is no place for a setting.
    #[error("{file}: {key} cannot be set in place; type in by hand:\n{by_hand}")]
    NoPlace {
        /// The file.
        file: String,
        /// The setting.
        key: Key,
        /// The settings, as they are written.
        by_hand: String,
        /// The editor's word.
        source: PathError,
    },
    /// The changed text says something else than was meant.
    #[error(
        "{file}: an edit in place would change more than was meant; type in by hand:\n{by_hand}"
    )]
    Misread {
        /// The file.
        file: String,
        /// The settings, as they are written.
        by_hand: String,
    },
}

impl Edit {
    /// Changes a policy's text to say `to` where it says something else. `file` names it in errors.
    pub fn new(file: &str, before: &str, to: &Settings) -> Result<Self, NotEdited> {
        let policy = policy::parse(file, before).map_err(NotEdited::Unread)?;
        let changes = Settings::of(&policy).changes_to(to);
        let by_hand = by_hand(to, &changes);
        let after = if changes.is_empty() {
            before.to_owned()
        } else {
            edited(file, before, (to, &changes))?
        };
        if says(&after, &to.apply(&policy)) {
            Ok(Self {
                before: before.to_owned(),
                after,
            })
        } else {
            let file = file.to_owned();
            Err(NotEdited::Misread { file, by_hand })
        }
    }

    /// Whether anything changes.
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }

    /// The unified diff, three lines of context; empty where nothing changes.
    pub fn diff(&self, file: &str) -> String {
        let diff = TextDiff::from_lines(&self.before, &self.after);
        let tuned = format!("{file} (tuned)");
        diff.unified_diff().header(file, &tuned).to_string()
    }
}

/// Whether a text is exactly this policy.
fn says(text: &str, meant: &Policy) -> bool {
    policy::parse("", text).is_ok_and(|read| read == *meant)
}

fn edited(
    file: &str,
    before: &str,
    (to, changes): (&Settings, &[Key]),
) -> Result<String, NotEdited> {
    let by_hand = by_hand(to, changes);
    let unparsed = |why: String| NotEdited::Unparsed {
        file: file.to_owned(),
        why,
        by_hand: by_hand.clone(),
    };
    let document = document(&with_room(before, changes)).map_err(unparsed)?;
    for key in changes {
        let value = plain(&to.text(*key)).map_err(unparsed)?;
        let path = key.to_string();
        (document.try_set_path(&path, value)).map_err(|source| NotEdited::NoPlace {
            file: file.to_owned(),
            key: *key,
            by_hand: by_hand.clone(),
            source,
        })?;
    }
    Ok(document.to_string())
}

fn document(text: &str) -> Result<Document, String> {
    (text.parse()).map_err(|why: yaml_edit::YamlError| why.to_string())
}

/// A value as policies are written, without quotes. A string given to the editor would get them
/// wherever an old reader could take it for something else (`off` for a boolean, by YAML 1.1); a
/// value taken from a text stays as it is.
fn plain(text: &str) -> Result<YamlNode, String> {
    let donor = document(&format!("value: {text}\n"))?;
    donor.get("value").ok_or_else(|| format!("no value {text}"))
}

/// The text with an empty line at its end, where sections stand apart by empty lines and a new one
/// is to be added.
fn with_room(before: &str, changes: &[Key]) -> String {
    let line_end = if before.contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let stands_apart = before.trim_end().contains(&line_end.repeat(2));
    let is_new = |key: &Key| {
        let section = key.path()[0];
        !before.lines().any(|line| line.starts_with(section))
    };
    if stands_apart && before.ends_with(line_end) && changes.iter().any(is_new) {
        format!("{before}{line_end}")
    } else {
        before.to_owned()
    }
}

/// What to type, as YAML.
fn by_hand(to: &Settings, changes: &[Key]) -> String {
    let mut text = String::new();
    let mut open = "";
    for key in changes {
        let value = to.text(*key);
        match key.path() {
            [section, key] => {
                if open != *section {
                    let _ = writeln!(text, "  {section}:");
                    open = section;
                }
                let _ = writeln!(text, "    {key}: {value}");
            }
            path => {
                let _ = writeln!(text, "  {}: {value}", path.join("."));
            }
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Instances, Seconds};
    use crate::policy::{Forecast, Hold, StepLimit};

    /// All five settings, different from any default.
    const TUNED: Settings = Settings {
        hold: Hold::For(Seconds(600.0)),
        scale_out: StepLimit::Percent(100.0),
        scale_in: StepLimit::Percent(20.0),
        forecast: Forecast::Off,
        min: Instances(2),
    };

    const HEAD: &str =
        "version: 1\nname: t\nqueues: [{ name: q }]\nobjective: { start_within: 60s }\n";

    fn after(text: &str, to: &Settings) -> String {
        let edit = Edit::new("t.yaml", text, to).unwrap_or_else(|why| panic!("{why}\n{text}"));
        edit.after
    }

    /// The changed text without the head that all cases share.
    fn tail(rest: &str) -> String {
        let text = after(&format!("{HEAD}{rest}"), &TUNED);
        let tail = text.strip_prefix(HEAD).expect("the head is as it was");
        tail.to_owned()
    }

    #[test]
    fn sections_that_are_absent_come_at_the_end() {
        let text = tail("fleet:\n  auto_scaling_group: g\n  max: 40 # for now\n");
        insta::assert_snapshot!(text, @r"
        fleet:
          auto_scaling_group: g
          max: 40 # for now
          min: 2
        forecast: off
        scale_out:
          max_step: 100%
        scale_in:
          max_step: 20%
          hold: 10m
        ");
    }

    #[test]
    fn sections_that_stand_apart_go_on_standing_apart() {
        let rest = "\n# The group.\nfleet:\n  auto_scaling_group: g\n  max: 40\n\n\
                    # Guesses.\nworker: { slots: 4 }\n";
        insta::assert_snapshot!(tail(rest), @r"

        # The group.
        fleet:
          auto_scaling_group: g
          max: 40
          min: 2

        # Guesses.
        worker: { slots: 4 }

        forecast: off
        scale_out:
          max_step: 100%
        scale_in:
          max_step: 20%
          hold: 10m
        ");
    }

    #[test]
    fn flow_mappings_stay_flow_mappings() {
        let rest = "fleet: { auto_scaling_group: g, max: 40 } # bounds\n\
                    forecast: auto   # yes\n\
                    scale_out: {}\n\
                    scale_in: { max_step: 50%, hold: auto } # keep\n";
        insta::assert_snapshot!(tail(rest), @r"
        fleet: { auto_scaling_group: g, max: 40, min: 2 } # bounds
        forecast: off   # yes
        scale_out: {max_step: 100%}
        scale_in: { max_step: 20%, hold: 10m } # keep
        ");
        let tight = "fleet: {auto_scaling_group: g,max: 40}\nscale_in: {hold: 5m}\n";
        insta::assert_snapshot!(tail(tight), @r"
        fleet: {auto_scaling_group: g,max: 40,min: 2}
        scale_in: {hold: 10m, max_step: 20%}
        forecast: off
        scale_out:
          max_step: 100%
        ");
        let long = "fleet: {\n  auto_scaling_group: g, # here\n  max: 40,\n}\n";
        insta::assert_snapshot!(tail(long), @r"
        fleet: {
          auto_scaling_group: g, # here
          max: 40, min: 2,
        }
        forecast: off
        scale_out:
          max_step: 100%
        scale_in:
          max_step: 20%
          hold: 10m
        ");
    }

    #[test]
    fn comments_stay_where_they_stand() {
        let rest = "# Before.\nfleet: # at the key\n  # inside\n  auto_scaling_group: g\n  \
                    max: 40 # at the value\n  # min: 0 was here\n\nscale_in:\n    \
                    hold: 5m    # a boot\n    # and how fast\n# Behind.\n";
        insta::assert_snapshot!(tail(rest), @r"
        # Before.
        fleet: # at the key
          # inside
          auto_scaling_group: g
          max: 40 # at the value
          min: 2
          # min: 0 was here

        scale_in:
            hold: 10m    # a boot
            max_step: 20%
            # and how fast
        # Behind.

        forecast: off
        scale_out:
          max_step: 100%
        ");
    }

    #[test]
    fn quotes_and_empty_sections_give_way() {
        let rest = "\"fleet\": { 'auto_scaling_group': \"g\", max: 40 }\nforecast: 'auto'\n\
                    scale_in: { 'hold': \"5m\" }\n";
        insta::assert_snapshot!(tail(rest), @r#"
        "fleet": { 'auto_scaling_group': "g", max: 40, min: 2 }
        forecast: off
        scale_in: { 'hold': 10m, max_step: 20% }
        scale_out:
          max_step: 100%
        "#);
    }

    #[test]
    fn the_document_may_be_marked_or_one_flow_mapping_or_end_without_a_line_end() {
        let marked = format!("---\n{HEAD}fleet: {{ auto_scaling_group: g, max: 40 }}\n...\n");
        insta::assert_snapshot!(after(&marked, &TUNED), @r"
        ---
        version: 1
        name: t
        queues: [{ name: q }]
        objective: { start_within: 60s }
        fleet: { auto_scaling_group: g, max: 40, min: 2 }
        forecast: off
        scale_out:
          max_step: 100%
        scale_in:
          max_step: 20%
          hold: 10m
        ...
        ");
        let flow = "{ version: 1, name: t, queues: [{ name: q }], objective: { start_within: 60s }, \
                    fleet: { auto_scaling_group: g, max: 40 } }\n";
        insta::assert_snapshot!(after(flow, &TUNED), @r"{ version: 1, name: t, queues: [{ name: q }], objective: { start_within: 60s }, fleet: { auto_scaling_group: g, max: 40, min: 2 }, forecast: off, scale_out: {max_step: 100%}, scale_in: {max_step: 20%, hold: 10m} }");
        let open = "fleet:\n  auto_scaling_group: g\n  max: 40";
        insta::assert_snapshot!(tail(open), @r"
        fleet:
          auto_scaling_group: g
          max: 40
          min: 2
        forecast: off
        scale_out:
          max_step: 100%
        scale_in:
          max_step: 20%
          hold: 10m
        ");
    }

    #[test]
    fn line_ends_of_windows_stay() {
        let text = format!(
            "{HEAD}fleet:\n  auto_scaling_group: g\n  max: 40 # c\n\nscale_in:\n  hold: auto # d\n"
        );
        let text = after(&text.replace('\n', "\r\n"), &TUNED);
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
        assert_eq!(
            text.replace("\r\n", "\n"),
            after(&text.replace("\r\n", "\n"), &TUNED)
        );
        assert!(
            text.contains("  hold: 10m # d\r\n  max_step: 20%\r\n"),
            "{text:?}"
        );
    }

    #[test]
    fn an_alias_gives_way_and_what_it_stands_for_stays() {
        let rest = "worker: { service_time: &short 5m }\nscale_in: { hold: *short }\n\
                    fleet: { auto_scaling_group: g, max: 40 }\n";
        insta::assert_snapshot!(tail(rest), @r"
        worker: { service_time: &short 5m }
        scale_in: { hold: 10m, max_step: 20% }
        fleet: { auto_scaling_group: g, max: 40, min: 2 }
        forecast: off
        scale_out:
          max_step: 100%
        ");
    }

    #[test]
    fn what_would_change_something_else_is_left_to_a_person() {
        // The hold is what the service time is: a changed hold would change it too.
        let text = format!(
            "{HEAD}scale_in: {{ hold: &short 5m }}\nworker: {{ service_time: *short }}\n\
             fleet: {{ auto_scaling_group: g, max: 40 }}\n"
        );
        let error = Edit::new("t.yaml", &text, &TUNED).unwrap_err();
        assert!(matches!(error, NotEdited::Misread { .. }), "{error:?}");
        insta::assert_snapshot!(error, @r"
        t.yaml: an edit in place would change more than was meant; type in by hand:
          fleet:
            min: 2
          forecast: off
          scale_out:
            max_step: 100%
          scale_in:
            max_step: 20%
            hold: 10m
        ");
    }

    #[test]
    fn only_what_differs_is_touched() {
        let text = "fleet: { auto_scaling_group: g, max: 40 }\nscale_in: { hold: 600s } # ten\n";
        let text = format!("{HEAD}{text}");
        let own = Settings::of(&policy::parse("", &text).expect("a policy"));
        let edit = Edit::new("t.yaml", &text, &own).expect("an edit");
        assert!(!edit.is_change() && edit.diff("t.yaml").is_empty());
        let to = own.with(Key::Min, &TUNED);
        let edit = Edit::new("t.yaml", &text, &to).expect("an edit");
        assert!(edit.after.ends_with("scale_in: { hold: 600s } # ten\n"));
        insta::assert_snapshot!(edit.diff("t.yaml"), @r"
        --- t.yaml
        +++ t.yaml (tuned)
        @@ -2,5 +2,5 @@
         name: t
         queues: [{ name: q }]
         objective: { start_within: 60s }
        -fleet: { auto_scaling_group: g, max: 40 }
        +fleet: { auto_scaling_group: g, max: 40, min: 2 }
         scale_in: { hold: 600s } # ten
        ");
    }

    #[test]
    fn a_text_that_is_no_policy_is_refused_with_its_problems() {
        let error = Edit::new("t.yaml", "version: 2\n", &TUNED).unwrap_err();
        assert!(error.to_string().starts_with("t.yaml:1:"), "{error}");
    }

    #[test]
    fn whatever_is_set_is_read_back() {
        let text = format!("{HEAD}fleet: {{ auto_scaling_group: g, max: 40 }}\n");
        let there = after(&text, &TUNED);
        let own = Settings::of(&policy::parse("", &text).expect("a policy"));
        let back = after(&there, &own);
        let read = policy::parse("", &back).expect("a policy");
        assert_eq!(Settings::of(&read), own);
        assert_eq!(after(&back, &TUNED), there);
    }
}
