//! Silence that the client asks for: commands to which the server sends no answer.

use super::command::Effect;

/// What CLIENT REPLY asked for last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// Every command is answered.
    #[default]
    On,
    /// The next command is not.
    Skip,
    /// None is.
    Off,
    /// Which of them was not seen, or it waits for EXEC.
    Unknown,
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

    /// Takes the next command; tells whether the server is silent on it.
    pub fn silences(&mut self, effect: Effect) -> bool {
        let before = *self;
        match effect {
            // Nothing is skipped where nothing is said.
            Effect::Replies(Replies::Skip) if before == Replies::Off => {}
            Effect::Replies(asked) => *self = asked,
            Effect::Reset => *self = Replies::On,
            _ if before == Replies::Skip => *self = Replies::On,
            _ => {}
        }
        match effect {
            Effect::Replies(asked) => asked != Replies::On,
            Effect::Reset => false,
            _ => matches!(before, Replies::Skip | Replies::Off),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_answered() {
        use Effect::{None, Reset};
        let [on, skip, off] = [Replies::On, Replies::Skip, Replies::Off].map(Effect::Replies);
        for (commands, silent) in [
            (&[None, on, None][..], &[false, false, false][..]),
            (&[skip, None, None], &[true, true, false]),
            (&[skip, on, None], &[true, false, false]),
            (&[off, None, skip, None, None], &[true, true, true, true, true]),
            (&[off, None, on, None], &[true, true, false, false]),
            (&[off, Reset, None], &[true, false, false]),
        ] {
            let mut replies = Replies::default();
            let told: Vec<bool> = commands.iter().map(|effect| replies.silences(*effect)).collect();
            assert_eq!(told, silent, "{commands:?}");
        }
        assert_eq!(Replies::read(Some(b"oFf")), Replies::Off);
        assert_eq!(Replies::read(Some(b"maybe")), Replies::Unknown);
    }
}
