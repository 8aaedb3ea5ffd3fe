//! Names that stand for addresses.
//!
//! A text may name its hosts: `db-1.shop`, `x.x.x.x`, `frontend`. A name tells two ends apart as well
//! as an address does, and it is never resolved. Inside, each name has an address of its own in a
//! range that no network uses. It is made of the name alone, so that the same name in two files is
//! the same end, and a name once met keeps its address for as long as the program runs.
//!
//! Such an address is never shown: an [`Endpoint`](crate::tcp::segment::Endpoint) prints its name,
//! and [`host`] gives the name of an address alone.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use sha1::{Digest, Sha1};

use crate::printable::printable;

/// The first octets of all these addresses: of the part of IPv6 that the IETF holds back.
const RANGE: [u8; 4] = [0xc1, 0x05, 0xe0, 0xa1];

/// More names than this are no hosts any more.
const MAX_NAMES: usize = 1 << 20;

/// A longer name is no host's (RFC 1035, 2.3.4).
const MAX_LEN: usize = 255;

/// The names met so far. One table for all, because a name's address says nothing but the name:
/// whoever prints an end need not know which text it came from.
static NAMES: LazyLock<RwLock<HashMap<IpAddr, Arc<str>>>> = LazyLock::new(RwLock::default);

/// The address that stands for a name. `None` where no name can be that long, where there are too
/// many, or where another name has the same one.
pub fn address(name: &str) -> Option<IpAddr> {
    let name = printable(name);
    if name.is_empty() || name.len() > MAX_LEN {
        return None;
    }
    let address = made_of(&name);
    let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
    match names.get(&address) {
        Some(known) => (**known == *name).then_some(address),
        None if names.len() >= MAX_NAMES => None,
        None => {
            names.insert(address, name.into());
            Some(address)
        }
    }
}

/// The name that an address stands for, if it stands for one.
pub fn name(address: IpAddr) -> Option<Arc<str>> {
    if !is_stand_in(address) {
        return None;
    }
    NAMES.read().unwrap_or_else(PoisonError::into_inner).get(&address).cloned()
}

/// An address as it is printed: its name, if it stands for one.
pub fn host(address: IpAddr) -> String {
    name(address).map_or_else(|| address.to_string(), |name| name.to_string())
}

/// An address as `--local` takes it: `192.0.2.1`, `name:frontend`.
pub fn option(address: IpAddr) -> String {
    name(address).map_or_else(|| address.to_string(), |name| format!("{OPTION}{name}"))
}

/// What stands before a name in an option, so that a mistyped address is no name.
pub const OPTION: &str = "name:";

/// Whether an address is of the range that stands for names.
pub fn is_stand_in(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(ip) if ip.octets().starts_with(&RANGE))
}

fn made_of(name: &str) -> IpAddr {
    let hash = Sha1::digest(name.as_bytes());
    let mut octets = [0; 16];
    octets[..RANGE.len()].copy_from_slice(&RANGE);
    octets[RANGE.len()..].iter_mut().zip(hash).for_each(|(octet, hashed)| *octet = hashed);
    IpAddr::V6(Ipv6Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::segment::Endpoint;

    #[test]
    fn a_name_is_one_end_and_is_printed_as_it_was() {
        let ip = address("db-1.shop").unwrap();
        assert_eq!(address("db-1.shop"), Some(ip));
        assert_ne!(address("db-2.shop"), Some(ip));
        assert_eq!(host(ip), "db-1.shop");
        assert_eq!(Endpoint { ip, port: 3306 }.to_string(), "db-1.shop:3306");
    }

    #[test]
    fn an_address_is_printed_as_it_is() {
        let ip = "2001:db8::1".parse().unwrap();
        assert_eq!(Endpoint { ip, port: 80 }.to_string(), "[2001:db8::1]:80");
        assert_eq!((name(ip), host(ip)), (None, "2001:db8::1".to_owned()));
    }

    #[test]
    fn nothing_in_a_name_reaches_a_terminal() {
        let named = address("a\u{1b}[31mb").unwrap();
        assert_eq!(host(named), "a\u{fffd}[31mb");
        assert_eq!(address(""), None);
        assert_eq!(address(&"x".repeat(300)), None);
    }
}
