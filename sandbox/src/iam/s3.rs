//! What an S3 request wants to do.
//!
//! "Required permissions for Amazon S3 API operations" (S3 User Guide).

use super::{Access, Place};

/// An operation and what it is about, as `s3s` reads it from the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    /// Such as `GetObject`.
    pub(crate) name: &'a str,
    /// The bucket, and the key where there is one.
    pub(crate) place: Option<(&'a str, Option<&'a str>)>,
    /// The query string.
    pub(crate) query: &'a str,
}

/// The accesses of an operation.
pub(crate) fn accesses(place: &Place, operation: &Operation) -> Vec<Access> {
    let query = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(operation.query.as_bytes());
        pairs
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let version = query("versionId").is_some();
    let action = match operation.name {
        "GetObject" | "HeadObject" if version => "s3:GetObjectVersion",
        "GetObject" | "HeadObject" => "s3:GetObject",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "s3:ListBucket",
        "ListObjectVersions" => "s3:ListBucketVersions",
        "ListBuckets" => "s3:ListAllMyBuckets",
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            "s3:PutObject"
        }
        "DeleteObject" if version => "s3:DeleteObjectVersion",
        "DeleteObject" => "s3:DeleteObject",
        other => {
            return vec![Access::new(
                format!("s3:{other}"),
                resource(place, operation),
            )];
        }
    };
    let access = Access::new(action, resource(place, operation));
    let prefix = query("prefix").filter(|_| action.starts_with("s3:ListBucket"));
    vec![match prefix {
        Some(prefix) => access.with("s3:prefix", vec![prefix]),
        None => access,
    }]
}

fn resource(place: &Place, operation: &Operation) -> String {
    let partition = &place.partition;
    match operation.place {
        None => "*".into(),
        Some((bucket, None)) => format!("arn:{partition}:s3:::{bucket}"),
        Some((bucket, Some(key))) => format!("arn:{partition}:s3:::{bucket}/{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_need_what_the_user_guide_lists() {
        let place = Place {
            partition: "aws".into(),
            region: "r".into(),
            account: "1".into(),
        };
        for (name, key, query, action, resource) in [
            (
                "GetObject",
                Some("a/b"),
                "x-id=GetObject",
                "s3:GetObject",
                "arn:aws:s3:::bucket/a/b",
            ),
            (
                "GetObject",
                Some("a"),
                "versionId=v1",
                "s3:GetObjectVersion",
                "arn:aws:s3:::bucket/a",
            ),
            (
                "HeadBucket",
                None,
                "",
                "s3:ListBucket",
                "arn:aws:s3:::bucket",
            ),
            (
                "ListObjectVersions",
                None,
                "versions&prefix=policies%2F",
                "s3:ListBucketVersions",
                "arn:aws:s3:::bucket",
            ),
            (
                "UploadPart",
                Some("a"),
                "partNumber=1",
                "s3:PutObject",
                "arn:aws:s3:::bucket/a",
            ),
        ] {
            let operation = Operation {
                name,
                place: Some(("bucket", key)),
                query,
            };
            let found = accesses(&place, &operation);
            assert_eq!(
                (found[0].action.as_str(), found[0].resource.as_str()),
                (action, resource)
            );
        }
    }

    #[test]
    fn lists_tell_their_prefix() {
        let place = Place {
            partition: "aws".into(),
            region: "r".into(),
            account: "1".into(),
        };
        let operation = Operation {
            name: "ListObjectsV2",
            place: Some(("b", None)),
            query: "prefix=policies%2F",
        };
        assert_eq!(
            accesses(&place, &operation)[0].context["s3:prefix"],
            ["policies/"]
        );
    }
}
