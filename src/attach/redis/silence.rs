//! Silence that the client asks for: commands to which the server sends no answer.

/// Answers that the client wants, as CLIENT REPLY asked for them last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// Every command is answered.
    #[default]
    On,
    /// The next command is not.
    Skip,
    /// None is.
    Off,
    /// The word was not seen, or it waits for EXEC.
    Unknown,
    /// There may have been a word that was not seen: the next answer tells.
    Unheard,
}

impl Replies {
    /// Reads the word behind CLIENT REPLY.
    pub fn read(word: Option<&[u8]>) -> Replies {
        let is = |name: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
        match () {
            () if is("ON") => Replies::On,
            () if is("SKIP") => Replies::Skip,
            () if is("OFF") => Replies::Off,
            () => Replies::Unknown,
        }
    }

    pub fn are_known(self) -> bool {
        !matches!(self, Replies::Unknown | Replies::Unheard)
    }

    /// Takes the next command, which asks for this or for nothing of the kind; tells whether the server is silent on it.
    pub fn silences(&mut self, asked: Option<Replies>) -> bool {
        let before = *self;
        match asked {
            // Nothing is skipped where nothing is said.
            Some(Replies::Skip) if before == Replies::Off => {}
            Some(asked) => *self = asked,
            None if before == Replies::Skip => *self = Replies::On,
            None => {}
        }
        match asked {
            Some(asked) => asked != Replies::On,
            None => matches!(before, Replies::Skip | Replies::Off),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_answered() {
        let [on, skip, off] = [Replies::On, Replies::Skip, Replies::Off].map(Some);
        for (commands, silent) in [
            (&[None, on, None][..], &[false, false, false][..]),
            (&[skip, None, None], &[true, true, false]),
            (&[skip, on, None], &[true, false, false]),
            (&[off, None, skip, None, None], &[true, true, true, true, true]),
            (&[off, None, on, None], &[true, true, false, false]),
        ] {
            let mut replies = Replies::default();
            let told: Vec<bool> = commands.iter().map(|effect| replies.silences(*effect)).collect();
            assert_eq!(told, silent, "{commands:?}");
        }
        assert_eq!(Replies::read(Some(b"oFf")), Replies::Off);
        assert_eq!(Replies::read(Some(b"maybe")), Replies::Unknown);
    }
}
