//! Addresses and ports as they are printed, names among them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::names;
use crate::services::port_of;

/// Reads ends. What has once been read is remembered: a text has few ends and many lines.
#[derive(Default)]
pub struct Ends {
    known: HashMap<String, Option<IpAddr>>,
}

/// More hosts than this are looked at anew.
const MAX_KNOWN: usize = 1 << 16;

impl Ends {
    /// `172.18.0.5.38822`, `fe80::1.3306`, `db-1.shop.mysql`, `x.x.x.x.3306`; who types it anew may write a colon, as
    /// elsewhere: `172.18.0.5:38822`, `[fe80::1]:3306`.
    pub fn dotted(&mut self, text: &str) -> Option<SocketAddr> {
        let (host, port) = typed(text).or_else(|| text.rsplit_once('.'))?;
        Some(SocketAddr::new(self.host(host)?, self.port(port)?))
    }

    /// An address, or a name that stands for one.
    pub fn host(&mut self, text: &str) -> Option<IpAddr> {
        if let Ok(address) = text.parse::<IpAddr>()
            && !names::is_stand_in(address)
        {
            return Some(address);
        }
        // A part of an address is no name: a cut took the rest of it.
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return None;
        }
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        let address = names::address(text);
        self.known.insert(text.to_owned(), address);
        address
    }

    /// A number, or a service.
    pub fn port(&mut self, text: &str) -> Option<u16> {
        match text.bytes().all(|b| b.is_ascii_digit()) {
            true => text.parse().ok(),
            false => port_of(text),
        }
    }
}

/// An end with a colon before its port. In an address of IPv6 without brackets, there are more.
fn typed(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok())?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.or(Some(host).filter(|host| !host.contains(':'))).map(|host| (host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_numbers_and_names_become_ends() {
        let mut ends = Ends::default();
        assert_eq!(ends.dotted("10.0.0.1.80"), Some("10.0.0.1:80".parse().unwrap()));
        assert_eq!(ends.dotted("fe80::1.mysql"), Some("[fe80::1]:3306".parse().unwrap()));
        assert_eq!(ends.dotted("10.0.0.1:80"), Some("10.0.0.1:80".parse().unwrap()));
        assert_eq!(ends.dotted("[fe80::1]:80"), Some("[fe80::1]:80".parse().unwrap()));
        assert_eq!(ends.dotted("fe80::1:2.80"), Some("[fe80::1:2]:80".parse().unwrap()));
        let named = ends.dotted("x.x.x.x.3306").unwrap();
        assert_eq!(names::host(named.ip()), "x.x.x.x");
        for wrong in [
            "10.0.0.1.99999",
            "10.0.0.1:99999",
            "fe80::1:80",
            "db.no-such-service-here",
            "nothing",
            ".80",
        ] {
            assert_eq!(ends.dotted(wrong), None, "{wrong}");
        }
    }
}
