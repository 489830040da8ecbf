//! Which policies are in force: of each file the newest version that validates, read anew again
//! and again, so that an edit needs no restart and a bad edit changes nothing.
//!
//! Owns that choice, and says what it refused. Where files lie is a [`Shelf`]'s affair, what a
//! text means [`crate::policy`]'s. It must not touch a fleet: one whose file is gone, or has never
//! been valid, is left alone.

mod disk;
mod place;
mod shelf;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use disk::Disk;
pub use place::{Address, BadAddress, Place};
pub use shelf::{Earlier, Edition, Listed, Mark, Shelf, Text, text};

use crate::model::UnixSeconds;
use crate::policy::{self, Policy, Problem, Problems};
use crate::ports::PortError;

/// Versions that are read in search of the last good one, at most: a file that was wrong so often
/// in a row waits for a person.
const LOOKED_AT_MAX: usize = 50;

/// The policies in force, by fleet.
pub type Fleets = Arc<BTreeMap<String, Arc<Policy>>>;

/// Policy files, and which version of each is in force.
pub struct Policies {
    shelves: Vec<Arc<dyn Shelf>>,
    files: BTreeMap<String, File>,
}

/// A file as it was last read.
struct File {
    shelf: usize,
    stamp: String,
    in_force: Option<InForce>,
    refusal: Option<Refusal>,
}

/// What is in force of a file.
#[derive(Clone)]
struct InForce {
    version: Mark,
    policy: Arc<Policy>,
}

/// Why a file's newest version is not in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The file.
    pub file: String,
    /// The version that is refused.
    pub version: String,
    /// The one that is in force in its place; none where there is no good one.
    pub in_force: Option<String>,
    /// All that is wrong with it.
    pub problems: Problems,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, version, .. } = self;
        write!(f, "{file}: {version} is refused, and ")?;
        match &self.in_force {
            Some(last_good) => write!(f, "{last_good} stays in force: ")?,
            None => f.write_str("no earlier one is good, so that its fleet is left alone: ")?,
        }
        let problems: Vec<String> = self.problems.0.iter().map(Problem::headline).collect();
        f.write_str(&problems.join("; "))
    }
}

/// What a reading could not do; what was in force before it stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutOfReach(String);

impl Policies {
    /// What lies on these shelves; nothing is in force before it is read.
    pub fn on(shelves: Vec<Arc<dyn Shelf>>) -> Self {
        Self {
            shelves,
            files: BTreeMap::new(),
        }
    }

    /// Policies that never change.
    pub fn fixed(policies: Vec<Policy>) -> Self {
        let file = |policy: Policy| {
            let name = policy.name.clone();
            let in_force = InForce {
                version: Mark {
                    id: String::new(),
                    written: UnixSeconds(0.0),
                },
                policy: Arc::new(policy),
            };
            let file = File {
                shelf: usize::MAX,
                stamp: String::new(),
                in_force: Some(in_force),
                refusal: None,
            };
            (name, file)
        };
        Self {
            shelves: Vec::new(),
            files: policies.into_iter().map(file).collect(),
        }
    }

    /// The policies in force.
    pub fn in_force(&self) -> Fleets {
        let policies = self
            .files
            .values()
            .filter_map(|file| file.in_force.as_ref());
        let by_name = policies.map(|held| (held.policy.name.clone(), Arc::clone(&held.policy)));
        Arc::new(by_name.collect())
    }

    /// Why the newest version of a file is not in force, for each file of which that is so.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.files.values().filter_map(|file| file.refusal.as_ref())
    }

    /// Each fleet, and whether a newer version of its policy is refused. Where no version is good,
    /// the fleet is called as the file is.
    pub fn standing(&self) -> Vec<(String, bool)> {
        let standing = |(name, file): (&String, &File)| {
            let fleet = match &file.in_force {
                Some(held) => held.policy.name.clone(),
                None => stem(name).to_owned(),
            };
            (fleet, file.refusal.is_some())
        };
        self.files.iter().map(standing).collect()
    }

    /// Reads what has changed since the last reading, oldest first, so that of two files that want
    /// the same fleet the younger is refused. What cannot be read stays as it was, and is told.
    pub async fn read(&mut self) -> Vec<OutOfReach> {
        let refused_before: Vec<Refusal> = self.refusals().cloned().collect();
        let (mut changed, mut out_of_reach) = self.list().await;
        while !changed.is_empty() {
            for (shelf, file) in &changed {
                if let Err(error) = self.take_in(*shelf, file).await {
                    out_of_reach.push(untold(file, &error));
                }
            }
            // What clashed may have been with a policy that a younger file gave up after it.
            let is_more_than_one = changed.len() > 1;
            let before = changed.len();
            changed.retain(|(_, file)| self.is_refused(file) && is_more_than_one);
            if changed.len() == before {
                break;
            }
        }
        let news = self.refusals().filter(|now| !refused_before.contains(now));
        news.for_each(|refusal| tracing::error!("{refusal}"));
        out_of_reach
    }

    /// The files to read, oldest first, each with its shelf; and what is out of reach.
    async fn list(&mut self) -> (Vec<(usize, String)>, Vec<OutOfReach>) {
        let mut out_of_reach = Vec::new();
        let mut listed = Vec::new();
        let mut is_stirred = false;
        for (nth, shelf) in self.shelves.clone().iter().enumerate() {
            match shelf.list().await {
                Ok(files) => {
                    is_stirred |= self.forget_the_gone(nth, &files);
                    listed.extend(files.into_iter().map(|file| (nth, file)));
                }
                Err(error) => out_of_reach.push(untold(&shelf.place(), &error)),
            }
        }
        is_stirred |= listed.iter().any(|(_, file)| self.is_news(file));
        // A refusal may have been for what another file held until now.
        let is_due = |(_, file): &(usize, Listed)| {
            self.is_news(file) || (is_stirred && self.is_refused(&file.file))
        };
        listed.retain(is_due);
        listed.sort_by(|(_, a), (_, b)| {
            let by_time = a.written.0.total_cmp(&b.written.0);
            by_time.then_with(|| a.file.cmp(&b.file))
        });
        let files = listed.into_iter().map(|(shelf, file)| (shelf, file.file));
        (files.collect(), out_of_reach)
    }

    fn is_news(&self, listed: &Listed) -> bool {
        let known = self.files.get(&listed.file);
        known.is_none_or(|known| known.stamp != listed.stamp)
    }

    fn is_refused(&self, file: &str) -> bool {
        let known = self.files.get(file);
        known.is_some_and(|known| known.refusal.is_some())
    }

    fn forget_the_gone(&mut self, nth: usize, listed: &[Listed]) -> bool {
        let before = self.files.len();
        self.files.retain(|name, file| {
            let stays = file.shelf != nth || listed.iter().any(|listed| listed.file == *name);
            if !stays {
                tracing::warn!("{name} is gone: its fleet is left alone");
            }
            stays
        });
        self.files.len() < before
    }

    async fn take_in(&mut self, nth: usize, name: &str) -> Result<(), PortError> {
        let reader = Arc::clone(&self.shelves[nth]);
        let Some(newest) = reader.newest(name).await? else {
            return Ok(()); // the next listing says that it is gone
        };
        let mut file = File {
            shelf: nth,
            stamp: newest.stamp,
            in_force: None,
            refusal: None,
        };
        let mut outcome = Ok(());
        match self.judge(name, &newest.text) {
            Ok(policy) => file.in_force = Some(held(newest.mark, policy)),
            Err(problems) => {
                let last_good = self.last_good(reader.as_ref(), name, &newest.mark).await;
                file.in_force = last_good.unwrap_or_else(|error| {
                    file.stamp.clear(); // to be tried again
                    outcome = Err(error);
                    self.in_hand(name)
                });
                file.refusal = Some(Refusal {
                    file: name.to_owned(),
                    version: newest.mark.to_string(),
                    in_force: file.in_force.as_ref().map(|held| held.version.to_string()),
                    problems,
                });
            }
        }
        self.files.insert(name.to_owned(), file);
        outcome
    }

    fn in_hand(&self, name: &str) -> Option<InForce> {
        self.files.get(name)?.in_force.clone()
    }

    /// The newest good version before `newest`. The one in hand needs no second look, and is kept
    /// where versions are not.
    async fn last_good(
        &self,
        reader: &dyn Shelf,
        name: &str,
        newest: &Mark,
    ) -> Result<Option<InForce>, PortError> {
        let in_hand = self.in_hand(name);
        let earlier = reader.earlier(name, newest).await?;
        for version in earlier.versions.iter().take(LOOKED_AT_MAX) {
            if let Some(in_hand) = in_hand
                .as_ref()
                .filter(|held| held.version.id == version.id)
            {
                return Ok(Some(in_hand.clone()));
            }
            let text = reader.read(name, version).await?;
            if let Ok(policy) = self.judge(name, &text) {
                return Ok(Some(held(version.clone(), policy)));
            }
        }
        Ok(in_hand.filter(|_| !earlier.removed_before))
    }

    /// A text's policy, if it is valid and wants nothing that another file has.
    fn judge(&self, name: &str, text: &Text) -> Result<Policy, Problems> {
        let policy = match text {
            Ok(text) => policy::parse(name, text)?,
            Err(found) => return Err(policy::unreadable(name, found)),
        };
        let others = self.files.iter().filter(|(other, _)| *other != name);
        let clashes = others.filter_map(|(other, file)| {
            let held = file.in_force.as_ref()?;
            policy::clash(name, &policy, (other, &held.policy))
        });
        let clashes: Vec<Problem> = clashes.collect();
        if clashes.is_empty() {
            Ok(policy)
        } else {
            Err(Problems(clashes))
        }
    }
}

fn held(version: Mark, policy: Policy) -> InForce {
    InForce {
        version,
        policy: Arc::new(policy),
    }
}

fn untold(what: &str, error: &PortError) -> OutOfReach {
    OutOfReach(format!("{what}: {}", error.story()))
}

/// `thumbnails` of `s3://bucket/policies/thumbnails.yaml`.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".yaml").unwrap_or(name)
}

#[cfg(test)]
mod tests;
