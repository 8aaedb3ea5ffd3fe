//! TCP as RFC 9293 describes it, seen by an observer: pure, no I/O, no clock.
//!
//! * [`seq`]: sequence numbers and their arithmetic (3.4)
//! * [`mod@side`]: the two ends of a connection
//! * [`segment`]: what an observer needs of one segment
//! * [`state`]: figure 5 as one match
//! * [`half`]: the facts of one direction, [`closing`]: those that only a close needs
//! * [`fin`]: a FIN, and an ACK that may be of one; `beyond`: what was sent beyond a FIN that was acknowledged
//! * [`recent`]: when a connection was last in use
//! * [`flow`]: two halves, and what one more segment changes
//! * [`life`]: the states of a side, with their times
//! * [`holes`]: what was not captured; `manner`: how a flow began, in bits
//! * [`incarnation`]: to which connection of a 4-tuple a segment belongs
//! * [`window`]: which numbers the other side may send
//! * [`notes`]: what is noted on the way
//! * `packed`: numbers in few octets, where a flow waits for nothing but late packets
//! * [`stream`]: the octets of one direction, in order, where somebody reads them
//!
//! Two rules carry everything here. *A segment is sent when it is seen, and received when the other
//! side acknowledges it.* And facts are kept, not verdicts: what they mean is decided elsewhere, once.

mod beyond;
pub mod closing;
pub mod fin;
pub mod flow;
pub mod half;
pub mod holes;
pub mod incarnation;
pub mod life;
mod manner;
pub mod notes;
pub(crate) mod packed;
pub mod recent;
pub mod segment;
pub mod seq;
pub mod side;
pub mod state;
pub mod stream;
pub mod window;
