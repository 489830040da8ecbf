//! A receipt handle: which receive of which message of which queue. Opaque to callers.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Every handle opens with this, as those of SQS do.
const PREFIX: &str = "AQEB";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) queue: u32,
    pub(super) message: u64,
    pub(super) receive: u64,
}

/// The text is not a handle.
#[derive(Debug)]
pub(super) struct NotAReceipt;

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&self.queue.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.message.to_be_bytes());
        bytes[12..].copy_from_slice(&self.receive.to_be_bytes());
        write!(f, "{PREFIX}{}", STANDARD.encode(bytes))
    }
}

impl FromStr for Receipt {
    type Err = NotAReceipt;

    fn from_str(text: &str) -> Result<Self, NotAReceipt> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotAReceipt)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NotAReceipt)?;
        let bytes: [u8; 20] = bytes.try_into().map_err(|_| NotAReceipt)?;
        let [a, b, c, d, rest @ ..] = bytes;
        let (message, receive) = rest.split_at(8);
        Ok(Self {
            queue: u32::from_be_bytes([a, b, c, d]),
            message: be(message),
            receive: be(receive),
        })
    }
}

fn be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
}
