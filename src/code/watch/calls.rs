//! System calls by their numbers (x86-64, `asm/unistd_64.h`).

use crate::code::descriptors::Did;

/// The kernel's number of the register that has a call's first argument, still when it returns.
pub const FIRST_ARGUMENT: Option<u32> = if cfg!(target_arch = "x86_64") { Some(5) } else { None };

/// Duplicates (`F_DUPFD`, `F_DUPFD_CLOEXEC`).
const COPYING: [u64; 2] = [0, 1030];

/// A process that shares its descriptors (`CLONE_FILES`).
pub const SHARES_FILES: u64 = 0x400;

/// Returns what a thread begins with a call, which takes these arguments.
pub fn begun(call: u64, arguments: [u64; 3]) -> Option<Did> {
    let [first, second, third] = arguments.map(|argument| (argument & 0xffff_ffff) as u32);
    Some(match call {
        // write, writev, sendfile, sendto, sendmsg, pwritev2
        1 | 20 | 40 | 44 | 46 | 328 => Did::Sends(first),
        // splice
        275 => Did::Sends(third),
        // close
        3 => Did::Ends(Some(first)),
        // dup2, dup3
        33 | 292 => Did::Replaces { copied: first, ended: second },
        // execve, execveat, close_range
        59 | 322 | 436 => Did::Ends(None),
        // dup
        32 => Did::Copies(first),
        // fcntl
        72 if COPYING.contains(&u64::from(second)) => Did::Copies(first),
        // unshare
        272 if u64::from(first) & SHARES_FILES != 0 => Did::Parts,
        // sendmmsg, io_uring_enter
        307 | 426 => Did::Unheard,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::code::watch::wanted::{Kind, Way};

    /// The numbers that a filter lets pass.
    fn numbers(kind: Kind) -> BTreeSet<u64> {
        let wanted = Way::Calls.wanted().iter().find(|wanted| wanted.kind == kind).unwrap();
        let filter = wanted.filter.to_str().unwrap();
        let all = filter.split("id==").skip(1);
        all.map(|rest| rest.split([' ', ')']).next().unwrap().parse().unwrap()).collect()
    }

    /// Whoever returns has begun, and what is heard is understood.
    #[test]
    fn filters_and_numbers_agree() {
        let (mut sends, mut done) = (BTreeSet::new(), BTreeSet::new());
        for call in numbers(Kind::Begins) {
            match begun(call, [SHARES_FILES | 7, 0, 9]).unwrap() {
                Did::Sends(_) => sends.insert(call),
                Did::Ends(_) | Did::Replaces { .. } | Did::Copies(_) => done.insert(call),
                _ => true,
            };
        }
        assert_eq!((sends, done), (numbers(Kind::CallSent), numbers(Kind::CallDone)));
        assert!(
            (0..500)
                .all(|call| begun(call, [0; 3]).is_none() || numbers(Kind::Begins).contains(&call))
        );
    }

    #[test]
    fn arguments_are_descriptors_of_32_bits() {
        assert_eq!(begun(1, [0xffff_ffff_0000_0007, 0, 0]), Some(Did::Sends(7)));
        assert_eq!(begun(275, [5, 0, 6]), Some(Did::Sends(6)));
        assert_eq!(begun(33, [5, 6, 0]), Some(Did::Replaces { copied: 5, ended: 6 }));
        assert_eq!(begun(72, [5, 1030, 0]), Some(Did::Copies(5)));
        assert_eq!((begun(72, [5, 1, 0]), begun(272, [0x20000, 0, 0])), (None, None));
    }
}
