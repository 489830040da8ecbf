//! Bodies too large for a message, kept in S3: the pointer that the message carries instead.
//!
//! The format is that of AWS's Extended Client Library for Java (awslabs,
//! `amazon-sqs-java-extended-client-lib` and `payload-offloading-java-common-lib-for-aws`), so that
//! its producers and consumers and Weir's understand each other: the body is a JSON array of a class
//! name and an object, and an attribute gives the payload's size. What is written here is pure;
//! [`Payloads`] keeps payloads, and [`ClaimCheck`] has a worker fetch and remove them.

mod claim_check;
mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::claim_check::ClaimCheck;
#[cfg(feature = "s3")]
pub use self::store::S3Payloads;
pub(crate) use self::store::on_aws;
pub use self::store::{Fetched, PAYLOAD_MAX_BYTES, Payloads};
use crate::queue::Attribute;

/// The attribute that marks a body as a pointer: the payload's size in bytes, a `Number`.
pub const SIZE_ATTRIBUTE: &str = "ExtendedPayloadSize";
/// The same as earlier versions of the Java library named it.
pub const LEGACY_SIZE_ATTRIBUTE: &str = "SQSLargePayloadSize";

/// The class name that stands before the pointer.
const CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";
/// The same in earlier versions.
const LEGACY_CLASS: &str = "com.amazon.sqs.javamessaging.MessageS3Pointer";

/// Where a payload lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The bucket.
    #[serde(rename = "s3BucketName")]
    pub bucket: String,
    /// The object's key.
    #[serde(rename = "s3Key")]
    pub key: String,
}

/// A body that says it is a pointer and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the attribute {attribute} says that the body points to S3, but it does not: {detail}")]
pub struct PointerError {
    /// The attribute.
    pub attribute: &'static str,
    /// What is wrong with the body.
    pub detail: String,
}

impl Pointer {
    /// Where a message's payload lies; `None` if its body is the payload.
    pub fn of(
        body: &str,
        attributes: &BTreeMap<String, Attribute>,
    ) -> Result<Option<Self>, PointerError> {
        let names = [SIZE_ATTRIBUTE, LEGACY_SIZE_ATTRIBUTE];
        let Some(attribute) = names
            .into_iter()
            .find(|name| attributes.contains_key(*name))
        else {
            return Ok(None);
        };
        let failed = |detail: String| PointerError { attribute, detail };
        let (class, pointer): (String, Self) =
            serde_json::from_str(body).map_err(|error| failed(error.to_string()))?;
        if class == CLASS || class == LEGACY_CLASS {
            Ok(Some(pointer))
        } else {
            Err(failed(format!(
                "{class:?} is no pointer this version knows"
            )))
        }
    }

    /// The body that points there.
    pub fn body(&self) -> String {
        serde_json::to_string(&(CLASS, self)).expect("invariant: two texts are JSON")
    }

    /// The attribute that goes with [`Pointer::body`], by name and value.
    pub fn attribute(payload_bytes: usize) -> (String, Attribute) {
        let value = Attribute::Text {
            data_type: "Number".into(),
            value: payload_bytes.to_string(),
        };
        (SIZE_ATTRIBUTE.into(), value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(name: &str) -> BTreeMap<String, Attribute> {
        let (_, value) = Pointer::attribute(7);
        [(name.to_owned(), value)].into()
    }

    fn pointer() -> Pointer {
        Pointer {
            bucket: "payloads".into(),
            key: "a/b-7".into(),
        }
    }

    /// As `S3BackedPayloadStoreTest` and Jackson's default typing write it.
    const JAVA: &str = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"payloads","s3Key":"a/b-7"}]"#;

    #[test]
    fn pointers_are_written_as_the_java_library_writes_them() {
        assert_eq!(pointer().body(), JAVA);
        let found = Pointer::of(JAVA, &marked(SIZE_ATTRIBUTE));
        assert_eq!(found, Ok(Some(pointer())));
    }

    #[test]
    fn pointers_of_earlier_versions_are_read() {
        let body = JAVA.replace(CLASS, LEGACY_CLASS);
        let found = Pointer::of(&body, &marked(LEGACY_SIZE_ATTRIBUTE));
        assert_eq!(found, Ok(Some(pointer())));
    }

    #[test]
    fn body_without_the_attribute_is_the_payload_whatever_it_looks_like() {
        assert_eq!(Pointer::of(JAVA, &BTreeMap::new()), Ok(None));
    }

    #[test]
    fn broken_pointers_are_named() {
        let other = JAVA.replace(CLASS, "java.lang.Object");
        for body in ["", "{}", r#"["x"]"#, &other] {
            let error = Pointer::of(body, &marked(SIZE_ATTRIBUTE)).unwrap_err();
            assert!(
                error.to_string().contains(SIZE_ATTRIBUTE),
                "{body}: {error}"
            );
        }
    }
}
