//! Where policies lie: a path, or an address in S3.
//!
//! Owns the address's form. It reads nothing.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where policies lie, as `--policy` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file, or a folder of `*.yaml`.
    Path(PathBuf),
    /// An object, or all `*.yaml` directly under a prefix.
    Bucket(Address),
}

/// An address in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The bucket.
    pub bucket: String,
    /// A key that ends in `.yaml`; else a prefix, which is empty or ends in `/`.
    pub key: String,
}

impl Address {
    /// Whether it is that of one object.
    pub fn is_object(&self) -> bool {
        self.key.ends_with(SUFFIX)
    }

    /// Whether the object of this key is meant.
    pub fn means(&self, key: &str) -> bool {
        if self.is_object() {
            return key == self.key;
        }
        let name = key.strip_prefix(&self.key);
        name.is_some_and(|name| name.ends_with(SUFFIX) && !name.contains('/'))
    }
}

/// What policies' names end in.
const SUFFIX: &str = ".yaml";
const SCHEME: &str = "s3://";

/// An address in S3 that is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "found {0:?}, allowed s3://BUCKET/PREFIX/ for every *.yaml directly under the prefix, or \
     s3://BUCKET/KEY.yaml for one policy"
)]
pub struct BadAddress(String);

impl FromStr for Place {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let Some(address) = text.strip_prefix(SCHEME) else {
            return Ok(Self::Path(text.into()));
        };
        let (bucket, key) = address.split_once('/').unwrap_or((address, ""));
        let is_prefix = key.is_empty() || key.ends_with('/');
        if bucket.is_empty() || !(is_prefix || key.ends_with(SUFFIX)) {
            return Err(BadAddress(text.to_owned()));
        }
        Ok(Self::Bucket(Address {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Bucket(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        match text.parse() {
            Ok(Place::Bucket(address)) => address,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_does_not_begin_with_s3_is_a_path() {
        let place: Place = "policies/a.yaml".parse().unwrap();
        assert_eq!(place, Place::Path("policies/a.yaml".into()));
    }

    #[test]
    fn a_prefix_means_the_yaml_directly_under_it() {
        for text in ["s3://weir/policies/", "s3://weir/"] {
            assert_eq!(address(text).to_string(), text);
        }
        let address = address("s3://weir/policies/");
        assert!(address.means("policies/a.yaml"));
        for other in [
            "policies/a.yml",
            "policies/old/a.yaml",
            "a.yaml",
            "policies/",
        ] {
            assert!(!address.means(other), "{other}");
        }
    }

    #[test]
    fn a_key_means_itself_alone() {
        let address = address("s3://weir/policies/a.yaml");
        assert!(address.means("policies/a.yaml"));
        assert!(!address.means("policies/a.yaml.yaml"));
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_what_is_allowed() {
        for text in [
            "s3://",
            "s3:///a.yaml",
            "s3://weir/policies",
            "s3://weir/a.json",
        ] {
            let refused = text.parse::<Place>().unwrap_err().to_string();
            assert!(refused.contains(text), "{refused}");
            assert!(refused.contains("s3://BUCKET/PREFIX/"), "{refused}");
        }
    }
}
