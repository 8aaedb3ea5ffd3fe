//! The way a judged flow is counted.

use super::local::Local;
use super::{Judgement, Note, Verdict};

/// The part of a judgement that a headline counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The verdict, if the connection ended here.
    pub verdict: Verdict,
    /// True if it is a finding then.
    pub finding: bool,
    /// It would be a finding if ones with doubts counted.
    pub hidden: bool,
    /// A finding, or a hidden one, that something speaks against.
    pub doubted: bool,
    /// In CLOSE-WAIT, at an end that is not the local one.
    pub elsewhere: bool,
    /// Neither of its ends is the local one: nobody judged it.
    pub foreign: bool,
    /// It had a FIN that does not count.
    pub fin_without_effect: bool,
    /// A SYN that a RST answered: nothing was opened that anybody could close.
    pub refused: bool,
    /// Open, as far as one side alone shows it: the other's FIN would not.
    pub one_sided: bool,
    /// Open, as far as TCP tells of one that speaks Multipath TCP.
    pub multipath: bool,
}

impl From<&Judgement> for Standing {
    fn from(judgement: &Judgement) -> Standing {
        let verdict = judgement.verdict;
        let is_local = judgement.local != Local::Neither;
        let stuck = verdict == Verdict::Leak || judgement.notes.contains(&Note::DescriptorMayLeak);
        let counts = stuck && is_local;
        Standing {
            verdict,
            finding: judgement.finding,
            hidden: counts && !judgement.finding,
            doubted: counts && !judgement.doubts.is_empty(),
            elsewhere: verdict == Verdict::Leak && !is_local,
            foreign: !is_local,
            fin_without_effect: judgement.notes.contains(&Note::FinWithoutEffect),
            refused: judgement.notes.contains(&Note::Refused),
            one_sided: is_local && judgement.notes.contains(&Note::OneSideCaptured),
            multipath: is_local
                && verdict == Verdict::Open
                && judgement.notes.contains(&Note::Multipath),
        }
    }
}
