//! A request as it was sent.

use super::path;
use crate::attach::facts::name;
use crate::place::Time;

/// A request, of which a line is made when somebody asks.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub at: Time,
    method: Vec<u8>,
    target: Vec<u8>,
    /// Its path may be the name of a remote call.
    may_call: bool,
}

impl Asked {
    /// Keeps another in its room.
    pub fn set(&mut self, at: Time, method: &[u8], target: &[u8], may_call: bool) {
        (self.at, self.may_call) = (at, may_call);
        self.method.clear();
        self.method.extend_from_slice(method);
        self.target.clear();
        self.target.extend_from_slice(target);
    }

    /// Returns its method and path: `literals`: with all values.
    pub fn show(&self, literals: bool) -> Box<str> {
        let call = if self.may_call { path::of_call(&self.target) } else { None };
        let target = match call {
            _ if literals => name(&self.target).into(),
            Some(call) => call.to_owned(),
            None => path::digest(&self.target),
        };
        format!("{} {target}", name(&self.method)).into()
    }

    pub fn octets(&self) -> usize {
        self.method.capacity() + self.target.capacity()
    }
}
