//! With libpcap: expressions are compiled for each link type that occurs.

use std::collections::HashMap;

use pcap::{BpfProgram, Capture, Linktype};

use super::WrongFilter;
use crate::capture::{Frame, LinkType};

/// A filter in tcpdump's language.
pub struct Filter {
    expression: String,
    programs: HashMap<LinkType, Option<BpfProgram>>,
}

impl Filter {
    /// Compiles for Ethernet, so that a wrong expression is known before any packet is read. One
    /// that only another link type can have (`inbound`, say) is tried on the cooked one as well.
    pub fn new(expression: &str) -> Result<Filter, WrongFilter> {
        let tried = compile(LinkType::ETHERNET, expression)
            .or_else(|error| compile(LinkType::LINUX_SLL, expression).map_err(|_| error));
        match tried {
            Ok(_) => Ok(Filter { expression: expression.into(), programs: HashMap::new() }),
            Err(error) => {
                Err(WrongFilter::Wrong { expression: expression.into(), error: error.to_string() })
            }
        }
    }

    /// Does the packet match? Nothing matches on a link type that the expression cannot be compiled
    /// for.
    pub fn matches(&mut self, frame: &Frame) -> bool {
        let program = self
            .programs
            .entry(frame.link)
            .or_insert_with(|| compile(frame.link, &self.expression).ok());
        program.as_ref().is_some_and(|program| program.filter(frame.data))
    }
}

fn compile(link: LinkType, expression: &str) -> Result<BpfProgram, pcap::Error> {
    // Files number raw IP 101, libpcap inside 12 (LINKTYPE_RAW and DLT_RAW); the rest agree.
    let dlt = match link {
        LinkType::RAW => 12,
        LinkType(other) => i32::from(other),
    };
    Capture::dead(Linktype(dlt))?.compile(expression, true)
}
