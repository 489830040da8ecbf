//! Numbers as they come over the wire: generous in form, strict in meaning.
//!
//! `12.0` is the count 12, `null` is unknown; a negative, fractional or non-finite count is an
//! error. Owns number forms only; the shapes are the model's.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserializer, Visitor};

use crate::model::{Instances, Messages};

/// A count that a field can hold.
pub(crate) trait Count: Sized {
    /// The largest that fits.
    const MAX: u64;
    /// From a number that fits.
    fn from_count(n: u64) -> Self;
}

impl Count for u64 {
    const MAX: u64 = u64::MAX;
    fn from_count(n: u64) -> Self {
        n
    }
}

impl Count for u32 {
    const MAX: u64 = u32::MAX as u64;
    fn from_count(n: u64) -> Self {
        Self::try_from(n).unwrap_or(Self::MAX)
    }
}

impl Count for Messages {
    const MAX: u64 = u64::MAX;
    fn from_count(n: u64) -> Self {
        Self(n)
    }
}

impl Count for Instances {
    const MAX: u64 = u32::MAX as u64;
    fn from_count(n: u64) -> Self {
        Self(u32::from_count(n))
    }
}

/// A count or unknown.
pub(crate) fn count<'de, D: Deserializer<'de>, T: Count>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_any(CountVisitor(PhantomData))
}

/// A number of at least zero, or unknown.
pub(crate) fn decimal<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    from.deserialize_any(DecimalVisitor)
}

struct CountVisitor<T>(PhantomData<T>);

impl<'de, T: Count> Visitor<'de> for CountVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 0 to {}, or null", T::MAX)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Self::Value, E> {
        if n > T::MAX {
            return Err(refuse(n, &self));
        }
        Ok(Some(T::from_count(n)))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Self::Value, E> {
        match u64::try_from(n) {
            Ok(n) => self.visit_u64(n),
            Err(_) => Err(refuse(n, &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Self::Value, E> {
        // 2^64 is the first float that does not fit.
        if x.fract() != 0.0 || !(0.0..18_446_744_073_709_551_616.0).contains(&x) {
            return Err(refuse(x, &self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole and in range"
        )]
        self.visit_u64(x as u64)
    }
}

/// `found -3, allowed a whole number …`.
fn refuse<E: de::Error>(found: impl fmt::Display, allowed: &dyn de::Expected) -> E {
    E::custom(format_args!("found {found}, allowed {allowed}"))
}

struct DecimalVisitor;

impl<'de> Visitor<'de> for DecimalVisitor {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of at least 0, or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_u64<E>(self, n: u64) -> Result<Self::Value, E> {
        Ok(Some(n as f64))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Self::Value, E> {
        self.visit_f64(n as f64)
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Self::Value, E> {
        if !x.is_finite() || x < 0.0 {
            return Err(refuse(x, &self));
        }
        Ok(Some(x))
    }
}
