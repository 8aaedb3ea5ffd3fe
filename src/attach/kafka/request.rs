//! Requests by their heads: what is asked, and by whom.

use super::names::NAMES;

/// No version of a request is higher.
const MOST_VERSIONS: i16 = 32;

/// The longest name of a client.
const LONGEST: i16 = 250;

/// Keys of requests that tell more than their names.
pub const PRODUCE: i16 = 0;
pub const FETCH: i16 = 1;
pub const SASL_HANDSHAKE: i16 = 17;
pub const API_VERSIONS: i16 = 18;
pub const SASL_AUTHENTICATE: i16 = 36;

/// A request, as far as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub key: i16,
    pub version: i16,
    pub correlation: i32,
    /// None: it gives none, or that was not seen.
    pub client: Option<&'a [u8]>,
    /// The octets that follow the head.
    pub rest: Reader<'a>,
}

/// Octets that are read from the front; what is not there is not known.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn octets<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, after) = self.0.split_first_chunk()?;
        self.0 = after;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, after) = self.0.split_at_checked(len)?;
        self.0 = after;
        Some(taken)
    }

    pub fn short(&mut self) -> Option<i16> {
        self.octets().map(i16::from_be_bytes)
    }

    pub fn int(&mut self) -> Option<i32> {
        self.octets().map(i32::from_be_bytes)
    }

    /// A number in as few octets as it takes.
    fn varint(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..28).step_by(7) {
            let [octet] = self.octets()?;
            number |= u32::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A string after its length; none inside where there is none.
    pub fn string(&mut self) -> Option<Option<&'a [u8]>> {
        match self.short()? {
            -1 => Some(None),
            len => self.take(usize::try_from(len).ok()?).map(Some),
        }
    }

    /// A string as newer versions write it.
    pub fn compact(&mut self) -> Option<Option<&'a [u8]>> {
        match self.varint()?.checked_sub(1) {
            None => Some(None),
            Some(len) => self.take(len as usize).map(Some),
        }
    }

    /// Octets after a longer length.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.int()?).ok()?;
        self.take(len)
    }

    /// Fields that newer versions may add anywhere.
    pub fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let len = self.varint()?;
            self.take(len as usize)?;
        }
        Some(())
    }
}

impl<'a> Request<'a> {
    /// Reads a request's head; `None`: it is none, or too little was seen of it.
    pub fn read(body: &'a [u8]) -> Option<Request<'a>> {
        let mut rest = Reader(body);
        let (key, version, correlation) = (rest.short()?, rest.short()?, rest.int()?);
        if name(key).is_none() || !(0..MOST_VERSIONS).contains(&version) {
            return None;
        }
        let mut after = rest;
        let client = match after.short() {
            Some(len) if !(-1..=LONGEST).contains(&len) => return None,
            _ => rest.string().unwrap_or_else(|| {
                rest = Reader(&[]);
                None
            }),
        };
        let is_name = |octet: &u8| octet.is_ascii_graphic() || *octet == b' ' || *octet >= 0x80;
        if client.is_some_and(|client| !client.iter().all(is_name)) {
            return None;
        }
        Some(Request { key, version, correlation, client, rest })
    }

    pub fn name(&self) -> &'static str {
        name(self.key).unwrap_or("?")
    }

    /// Nothing answers it: a message that nobody is to acknowledge. None: that was not seen.
    pub fn is_answered(&self) -> Option<bool> {
        if self.key != PRODUCE {
            return Some(true);
        }
        let mut rest = self.rest;
        match self.version {
            0..3 => {}
            3..9 => _ = rest.string()?,
            _ => {
                rest.tags()?;
                rest.compact()?;
            }
        }
        Some(rest.short()? != 0)
    }

    /// The library that sent it, and its version.
    pub fn software(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.key != API_VERSIONS || self.version < 3 {
            return None;
        }
        let mut rest = self.rest;
        rest.tags()?;
        Some((rest.compact()??, rest.compact()??))
    }

    /// The user, where the client says it in the clear.
    pub fn user(&self) -> Option<&'a [u8]> {
        let mut rest = self.rest;
        let token = match self.version {
            0..2 => rest.bytes()?,
            _ => {
                rest.tags()?;
                rest.compact()??
            }
        };
        // Nothing, a zero, the user, a zero, the password.
        let mut parts = token.split(|octet| *octet == 0);
        let user = parts.nth(1)?;
        parts.next().map(|_| user)
    }

    /// The way in which the client will say who it is.
    pub fn mechanism(&self) -> Option<&'a [u8]> {
        let mut rest = self.rest;
        rest.string()?
    }
}

/// Returns the name of a request.
pub fn name(key: i16) -> Option<&'static str> {
    NAMES.get(usize::try_from(key).ok()?).copied()
}

/// Returns whether octets are nothing but requests; the last may go on beyond them.
pub fn are_requests(mut data: &[u8]) -> bool {
    if data.is_empty() {
        return false;
    }
    while let Some((len, after)) = data.split_first_chunk() {
        let len = u32::from_be_bytes(*len) as usize;
        let body = after.get(..len).unwrap_or(after);
        if !(10..=64 << 20).contains(&len) || Request::read(body).is_none_or(|it| it.is_odd(len)) {
            return false;
        }
        data = after.get(len..).unwrap_or_default();
    }
    data.is_empty()
}

impl Request<'_> {
    /// A stranger's first request has a name and a low number.
    fn is_odd(&self, len: usize) -> bool {
        let ends = 10 + self.client.map_or(0, <[u8]>::len);
        !(0..1 << 30).contains(&self.correlation) || self.client.is_none() || ends > len
    }
}
