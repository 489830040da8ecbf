//! The suite for payloads.

use bytes::Bytes;

use super::Verdict;
use crate::payload::{Fetched, Payloads, Pointer};

/// The suite for [`Payloads`]. It leaves nothing in `bucket`, which must be there.
pub async fn payloads(payloads: &dyn Payloads, bucket: &str) -> Verdict {
    let pointer = |key: &str| Pointer {
        bucket: bucket.into(),
        key: format!("conformance/{key}"),
    };
    let text = "line one\nline \"two\" <ü>".repeat(50_000);
    let kept = pointer("text");
    get_is(payloads, &kept, &Fetched::Missing).await?;
    put(payloads, &kept, text.clone().into()).await?;
    get_is(payloads, &kept, &Fetched::Text(text)).await?;
    put(payloads, &kept, "another".into()).await?;
    get_is(payloads, &kept, &Fetched::Text("another".into())).await?;
    let other = pointer("bytes");
    put(payloads, &other, Bytes::from_static(&[0xFF, 0])).await?;
    let unfit = get(payloads, &other).await?;
    expect!(
        matches!(unfit, Fetched::Unfit(_)),
        "bytes that are no text came as {unfit:?}"
    );
    for time in ["first", "second"] {
        for pointer in [&kept, &other] {
            let removed = payloads.remove(pointer).await;
            expect!(removed.is_ok(), "the {time} removal answered {removed:?}");
        }
    }
    get_is(payloads, &kept, &Fetched::Missing).await
}

async fn put(payloads: &dyn Payloads, pointer: &Pointer, payload: Bytes) -> Verdict {
    let put = payloads.put(pointer, payload).await;
    put.map_err(|error| error.to_string())
}

async fn get(payloads: &dyn Payloads, pointer: &Pointer) -> Result<Fetched, String> {
    let got = payloads.get(pointer).await;
    got.map_err(|error| error.to_string())
}

async fn get_is(payloads: &dyn Payloads, pointer: &Pointer, expected: &Fetched) -> Verdict {
    let got = get(payloads, pointer).await?;
    expect!(
        got == *expected,
        "{} holds {:.100?}, not {:.100?}",
        pointer.key,
        format!("{got:?}"),
        format!("{expected:?}")
    );
    Ok(())
}
