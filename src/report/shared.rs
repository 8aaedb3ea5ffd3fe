//! Sockets that several processes hold at once: the connection ends only when each has closed it.

use super::lang::Lang;
use crate::owner::Holder;
use crate::units::thousands;

/// Processes that are named, at most.
const NAMED: usize = 3;

/// Sockets that a fork has left to several processes, or that were passed on and kept.
#[derive(Debug, Default)]
pub struct Shared {
    sockets: u64,
    /// The processes that hold the first of them.
    first: Vec<Holder>,
}

impl Shared {
    /// Takes the holders of a socket, the lowest number first. One process may have several descriptors of it.
    pub fn add(&mut self, holders: &[Holder]) {
        let mut each: Vec<Holder> = holders.to_vec();
        each.dedup_by_key(|holder| holder.pid);
        if each.len() > 1 {
            self.sockets += 1;
            if self.first.is_empty() {
                self.first = each;
            }
        }
    }

    /// Says so, where there are any: tables name one process for each.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> Option<String> {
        let names: Vec<String> = self.first.iter().take(NAMED).map(Holder::to_string).collect();
        let names = lang.some_of(&names, self.first.len() as u64);
        (self.sockets > 0).then(|| lang.shared(thousands(self.sockets), names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holders(pids: &[i32]) -> Vec<Holder> {
        let of = |pid: &i32| Holder { pid: *pid, command: "app".into(), fd: Some(7), uid: None };
        pids.iter().map(of).collect()
    }

    #[test]
    fn several_processes_are_named_and_several_descriptors_are_not() {
        let mut shared = Shared::default();
        for pids in [&[][..], &[1], &[1, 1]] {
            shared.add(&holders(pids));
        }
        assert_eq!(shared.sentence(Lang::English), None);
        shared.add(&holders(&[1, 1, 2]));
        shared.add(&holders(&[1, 2, 3, 4, 5]));
        let sentence = shared.sentence(Lang::English).expect("two");
        assert!(sentence.starts_with("2 "), "{sentence}");
        assert!(sentence.contains("(app[1] fd 7, app[2] fd 7)"), "{sentence}");
        let mut many = Shared::default();
        many.add(&holders(&[1, 2, 3, 4, 5]));
        let sentence = many.sentence(Lang::English).expect("one");
        assert!(sentence.contains("app[3] fd 7 and 2 more)"), "{sentence}");
    }
}
