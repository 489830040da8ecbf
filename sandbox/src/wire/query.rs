//! Reads the Query protocols' bodies: flat names with dots, which stand for structures and lists.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::cloud::{ApiError, ApiResult};

/// The parameters of a request, or of one structure within it.
#[derive(Clone, Debug, Default)]
pub(super) struct Params {
    values: BTreeMap<String, String>,
}

impl Params {
    pub(super) fn parse(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body);
        Self {
            values: pairs.into_owned().collect(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn string(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    pub(super) fn require(&self, name: &str) -> ApiResult<&str> {
        self.get(name).ok_or_else(|| {
            ApiError::validation(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: \
                 Member must not be null"
            ))
        })
    }

    /// A parameter of another type than text.
    pub(super) fn read<T: FromStr>(&self, name: &str) -> ApiResult<Option<T>>
    where
        T::Err: Display,
    {
        let read = |text: &str| {
            text.parse::<T>().map_err(|error| {
                ApiError::validation(format!(
                    "The value '{text}' of {name} cannot be read: {error}."
                ))
            })
        };
        self.get(name).map(read).transpose()
    }

    pub(super) fn seconds(&self, name: &str) -> ApiResult<Option<Duration>> {
        Ok(self.read::<u64>(name)?.map(Duration::from_secs))
    }

    /// A structure's parameters.
    pub(super) fn structure(&self, name: &str) -> Params {
        let prefix = format!("{name}.");
        let inside = self.values.range(prefix.clone()..);
        Self {
            values: inside
                .map_while(|(key, value)| {
                    let rest = key.strip_prefix(&prefix)?;
                    Some((rest.to_owned(), value.clone()))
                })
                .collect(),
        }
    }

    /// The structures of a list `name.1.…`, `name.2.…`, in order of number.
    pub(super) fn structures(&self, name: &str) -> Vec<Params> {
        let mut items: BTreeMap<u64, Params> = BTreeMap::new();
        for (key, value) in self.structure(name).values {
            let (number, rest) = key.split_once('.').unwrap_or((&key, ""));
            if let Ok(number) = number.parse() {
                let item = items.entry(number).or_default();
                item.values.insert(rest.to_owned(), value);
            }
        }
        items.into_values().collect()
    }

    /// The values of a list `name.1`, `name.2`, in order of number.
    pub(super) fn strings(&self, name: &str) -> Vec<String> {
        let items = self.structures(name).into_iter();
        items.filter_map(|item| item.string("")).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A page of a long list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

/// The page of `items` that `token` opens, with at most `size` of them.
pub(super) fn page<T>(items: Vec<T>, token: Option<&str>, size: usize) -> ApiResult<Page<T>> {
    let start = match token {
        None | Some("") => 0,
        Some(token) => token.parse::<usize>().map_err(|_| {
            ApiError::new(
                "InvalidNextToken",
                format!("The NextToken '{token}' is not valid."),
            )
        })?,
    };
    let end = start.saturating_add(size.max(1));
    let next = (end < items.len()).then(|| end.to_string());
    let items = items.into_iter().skip(start).take(size.max(1)).collect();
    Ok(Page { items, next })
}
