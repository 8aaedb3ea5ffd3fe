//! The holder of a connection's socket, as JSON lines have it.

use serde::Serialize;

use super::code::{CodeLine, code_lines};
use super::lines::ProcessLine;
use crate::attach::Facts;
use crate::summary::Owner;
use crate::tcp::state::State;

/// Keys that are there when a socket list was asked.
#[derive(Serialize)]
pub struct OwnerKeys<'a> {
    process: Option<ProcessLine<'a>>,
    processes: Vec<ProcessLine<'a>>,
    /// Absent where the list names them that was asked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    process_by: Option<&'static str>,
    kernel: Option<KernelLine>,
    before_capture: bool,
    /// Absent where that was not watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Vec<CodeLine<'a>>>,
}

#[derive(Serialize)]
struct KernelLine {
    state: &'static str,
    recv_q: Option<u32>,
    confirmed: bool,
}

impl<'a> OwnerKeys<'a> {
    /// Says whether the socket was stuck before the capture began.
    pub fn before_capture(self, before_capture: bool) -> OwnerKeys<'a> {
        OwnerKeys { before_capture, ..self }
    }

    /// Returns the keys, with the statements of the code behind the socket; none where no list was asked.
    pub fn new(owner: Owner<'a>, said: Option<&'a Facts>) -> Option<OwnerKeys<'a>> {
        if matches!(owner, Owner::NotAsked) {
            return None;
        }
        let holders = owner.holders();
        Some(OwnerKeys {
            process: holders.first().map(ProcessLine::from),
            processes: holders.iter().map(ProcessLine::from).collect(),
            process_by: match owner {
                Owner::Said(..) => Some("capture"),
                Owner::Kept(..) => Some("earlier-list"),
                _ => None,
            },
            kernel: owner.listed().map(|socket| KernelLine {
                state: socket.state.name(),
                recv_q: socket.recv_q,
                confirmed: socket.state == State::CloseWait && !socket.is_assumed,
            }),
            before_capture: false,
            code: owner.code().map(|code| code_lines(code, said)),
        })
    }
}
