//! Shares of the 4-tuples of a capture, the same in every process and for both directions.
//!
//! By a keyed hash: who does not know the key cannot send all of a capture into one share.

use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

use siphasher::sip::SipHasher13;

use crate::tcp::segment::FlowKey;

/// A key of the hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key(pub u64);

impl Key {
    /// Hashes a 4-tuple.
    pub fn hash(self, key: &FlowKey) -> u64 {
        let mut hash = SipHasher13::new_with_keys(self.0, !self.0);
        // Octets, and not numbers, whose order in memory is the machine's.
        match (key.as_v4(), key.as_v6()) {
            (Some(([lower, upper], _)), _) => {
                hash.write(&(u64::from(lower) << 32 | u64::from(upper)).to_le_bytes());
            }
            (None, Some(both)) => both.iter().for_each(|bits| hash.write(&bits.to_le_bytes())),
            (None, None) => {}
        }
        hash.write(&key.joined_ports().to_le_bytes());
        hash.finish()
    }

    /// Makes a number of a handshake, the same in all parts, whatever their key.
    pub fn of_handshake((key, isns): &(FlowKey, [u32; 2])) -> u64 {
        let mut hash = SipHasher13::new_with_keys(Key(0).hash(key), 0);
        isns.iter().for_each(|isn| hash.write(&isn.to_le_bytes()));
        hash.finish()
    }
}

/// One of several shares, counted from 1: `3/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    of: u64,
}

/// More shares are of no use.
const MOST: u64 = 4_096;

impl Shard {
    /// The whole.
    pub const ALL: Shard = Shard { number: 1, of: 1 };

    /// Tells whether it holds all connections.
    pub fn is_all(self) -> bool {
        self.of == 1
    }

    /// Is it the first? It counts what belongs to no share.
    pub fn is_first(self) -> bool {
        self.number == 1
    }

    /// Does a 4-tuple with this hash belong to it?
    pub fn has(self, hash: u64) -> bool {
        hash % self.of == self.number - 1
    }

    /// May 4-tuples belong to it whose hash leaves this rest?
    pub fn may_have(self, rest: u64, of: u64) -> bool {
        let common = gcd(of.max(1), self.of);
        rest % common == (self.number - 1) % common
    }
}

fn gcd(one: u64, two: u64) -> u64 {
    if two == 0 { one } else { gcd(two, one % two) }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').map(|(number, of)| (number.parse(), of.parse()));
        match numbers {
            Some((Ok(number), Ok(of))) if (1..=of).contains(&number) && of <= MOST => {
                Ok(Shard { number, of })
            }
            _ => Err(format!("a share is written as 3/8, and {MOST} are the most")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::segment::Endpoint;

    #[test]
    fn every_hash_belongs_to_one_share_and_is_looked_for_where_it_is() {
        for of in 1..=12_u64 {
            let all: Vec<Shard> = (1..=of).map(|number| Shard { number, of }).collect();
            for hash in 0..200 {
                assert_eq!(all.iter().filter(|share| share.has(hash)).count(), 1);
                let own = all.iter().find(|share| share.has(hash)).unwrap();
                for groups in [1, 2, 8, 64] {
                    assert!(own.may_have(hash % groups, groups), "{own} {hash} {groups}");
                }
            }
        }
        let looked_at = |share: &str| {
            let share: Shard = share.parse().unwrap();
            (0..64).filter(|rest| share.may_have(*rest, 64)).count()
        };
        assert_eq!((looked_at("3/8"), looked_at("1/1"), looked_at("2/3")), (8, 64, 64));
    }

    #[test]
    fn a_share_is_a_number_of_so_many() {
        for text in ["0/8", "9/8", "1/0", "1/9999", "3", "a/b", "-1/2", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("3/8".parse::<Shard>().unwrap().to_string(), "3/8");
    }

    /// Parts outlive the program that wrote them.
    #[test]
    fn the_hash_stays() {
        let end = |ip: &str, port| Endpoint { ip: ip.parse().unwrap(), port };
        let (v4, _) = FlowKey::new(end("172.18.0.5", 38822), end("172.18.0.3", 3306));
        let (v6, _) = FlowKey::new(end("2001:db8::1", 1), end("2001:db8::2", 2));
        let hashes = [Key(0).hash(&v4), Key(7).hash(&v4), Key(0).hash(&v6)];
        assert_eq!(hashes, [98658788822960405, 23762072320597478, 17229666444573019416]);
    }
}
