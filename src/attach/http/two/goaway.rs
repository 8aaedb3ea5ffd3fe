//! GOAWAY, and errors by their names.

use super::streams::Streams;
use crate::attach::facts::name;
use crate::attach::{ErrorCode, ServerError};

/// Octets of what a server says in its own words.
const LONGEST: usize = 64;

/// A server's last word.
#[derive(Clone, Debug)]
pub struct Goaway {
    /// The last stream that it has taken up.
    pub last: u32,
    pub code: u32,
    /// Its reason in words, if those are plain.
    reason: Option<Box<str>>,
    literal: Box<str>,
}

/// A request that went wrong.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Its stream was reset with this code.
    Reset(u32),
    /// The call ended with this status.
    Grpc(Box<str>),
}

impl Goaway {
    pub fn read(body: &[u8], cut: bool) -> Option<Goaway> {
        let (last, rest) = body.split_first_chunk()?;
        let (code, debug) = rest.split_first_chunk()?;
        let is_plain =
            debug.iter().all(|octet| octet.is_ascii_alphabetic() || b"_ -".contains(octet));
        let is_short = debug.len() <= LONGEST && !cut;
        Some(Goaway {
            last: u32::from_be_bytes(*last) & 0x7fff_ffff,
            code: u32::from_be_bytes(*code),
            reason: (is_plain && is_short && !debug.is_empty()).then(|| name(debug)),
            literal: if cut { format!("{}…", name(debug)).into() } else { name(debug) },
        })
    }

    /// It says why the server closes.
    pub fn error(&self, literals: bool) -> ServerError {
        let reason = if literals { Some(&self.literal) } else { self.reason.as_ref() };
        let message = match reason.filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("GOAWAY: {reason}"),
            None => "GOAWAY".into(),
        };
        ServerError {
            code: ErrorCode::Name(code_name(self.code).into()),
            sqlstate: None,
            message: message.into(),
            unsolicited: true,
        }
    }

    pub fn remark(&self, streams: &Streams) -> Box<str> {
        let last = match self.last {
            0x7fff_ffff => "without a last stream".into(),
            last => format!("last stream {last}"),
        };
        let beyond = match streams.open_beyond(self.last) {
            0 => String::new(),
            some => format!(", {some} open beyond it: to be sent again"),
        };
        format!("GOAWAY {}, {last}{beyond}", code_name(self.code)).into()
    }
}

impl Trouble {
    pub fn name(&self) -> String {
        match self {
            Trouble::Reset(code) => code_name(*code),
            Trouble::Grpc(status) => {
                let status: Option<usize> = status.parse().ok();
                let known = status.and_then(|status| GRPC.get(status));
                known.map_or_else(|| "?".into(), |known| (*known).into())
            }
        }
    }

    pub fn message(&self) -> &'static str {
        match self {
            Trouble::Reset(_) => "RST_STREAM",
            Trouble::Grpc(_) => "grpc-status",
        }
    }
}

fn code_name(code: u32) -> String {
    CODES.get(code as usize).map_or_else(|| format!("{code:#x}"), |name| (*name).into())
}

/// RFC 9113, 7.
const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// Statuses of gRPC.
const GRPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
