//! A capture that one machine does not judge alone: its segments as tables, and verdicts made of these.
//!
//! Facts of parts of a connection do not merge, but its segments can be taken in where they are put
//! together again. So each file of a capture point becomes a part: a row a segment, in Parquet, of which
//! most is numbers that pack well. The ordinary state machine then takes the rows of all parts in the order
//! of capture, and says what it would have said of the files, octet for octet. A point that is too big
//! for one run is judged in shares of its 4-tuples; what one share has to know of the others is little.
//!
//! * [`part`]: the columns of a part, and what it says of its file; [`keyed`]: the shares of 4-tuples
//! * [`mod@write`], [`mod@read`]: parts on their way out and in, and `pages` with bounds
//! * [`mod@facts`]: a capture becomes a part; [`mod@judge`]: parts become verdicts
//! * [`told`]: what shares tell each other

pub mod facts;
pub mod judge;
pub mod keyed;
mod pages;
pub mod part;
pub mod read;
pub mod told;
pub mod write;
