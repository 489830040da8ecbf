//! An answer before it is CBOR or JSON, and CBOR requests as JSON.

use ciborium::Value as Cbor;
use serde_json::Value as Json;

use crate::cloud::Time;

/// A value of an answer. Moments are told from numbers: CBOR tags them.
#[derive(Clone, Debug)]
pub(super) enum Out {
    Text(String),
    Number(f64),
    At(Time),
    List(Vec<Out>),
    Map(Vec<(&'static str, Out)>),
    /// A map whose names are the caller's.
    Named(Vec<(String, f64)>),
}

/// CBOR's tag for "epoch-based date/time" (RFC 8949, section 3.4.2).
const EPOCH: u64 = 1;

impl Out {
    pub(super) fn map(fields: impl IntoIterator<Item = (&'static str, Out)>) -> Self {
        Self::Map(fields.into_iter().collect())
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(super) fn list(items: impl IntoIterator<Item = Out>) -> Self {
        Self::List(items.into_iter().collect())
    }

    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => Json::from(text.as_str()),
            Self::Number(number) => Json::from(*number),
            Self::At(at) => Json::from(at.as_secs_f64()),
            Self::List(items) => items.iter().map(Out::to_json).collect(),
            Self::Named(fields) => fields.iter().cloned().collect(),
            Self::Map(fields) => {
                let fields = fields.iter();
                fields
                    .map(|(name, value)| ((*name).to_owned(), value.to_json()))
                    .collect()
            }
        }
    }

    pub(super) fn to_cbor(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(&self.cbor(), &mut bytes)
            .expect("invariant: writing to memory does not fail");
        bytes
    }

    fn cbor(&self) -> Cbor {
        match self {
            Self::Text(text) => Cbor::from(text.as_str()),
            Self::Number(number) => Cbor::from(*number),
            Self::At(at) => Cbor::Tag(EPOCH, Box::new(Cbor::from(at.as_secs_f64()))),
            Self::List(items) => Cbor::Array(items.iter().map(Out::cbor).collect()),
            Self::Named(fields) => {
                let fields = fields.iter();
                Cbor::Map(
                    fields
                        .map(|(n, v)| (Cbor::from(n.as_str()), Cbor::from(*v)))
                        .collect(),
                )
            }
            Self::Map(fields) => {
                let fields = fields.iter();
                Cbor::Map(
                    fields
                        .map(|(name, value)| (Cbor::from(*name), value.cbor()))
                        .collect(),
                )
            }
        }
    }
}

/// A CBOR request as JSON: tags dropped, for a moment is a number either way.
pub(super) fn json_of_cbor(bytes: &[u8]) -> Result<Json, String> {
    if bytes.is_empty() {
        return Ok(Json::Object(serde_json::Map::new()));
    }
    let value: Cbor = ciborium::from_reader(bytes).map_err(|error| error.to_string())?;
    json(value)
}

fn json(value: Cbor) -> Result<Json, String> {
    Ok(match value {
        Cbor::Text(text) => Json::from(text),
        Cbor::Float(number) => Json::from(number),
        Cbor::Bool(flag) => Json::from(flag),
        Cbor::Null => Json::Null,
        Cbor::Tag(_, inner) => json(*inner)?,
        Cbor::Integer(integer) => {
            let integer = i64::try_from(integer).map_err(|_| "an integer is out of range")?;
            Json::from(integer)
        }
        Cbor::Array(items) => items.into_iter().map(json).collect::<Result<_, _>>()?,
        Cbor::Map(fields) => {
            let field = |(name, value): (Cbor, Cbor)| match name {
                Cbor::Text(name) => Ok((name, json(value)?)),
                other => Err(format!("a field's name is not text: {other:?}")),
            };
            fields
                .into_iter()
                .map(field)
                .collect::<Result<_, String>>()?
        }
        other => return Err(format!("a value of this kind is not expected: {other:?}")),
    })
}
