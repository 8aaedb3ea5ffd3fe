//! Segments become judged connections, on all cores: pure but for threads.
//!
//! * [`point`]: one capture point, its facts and its shards
//! * [`orders`]: what every shard has to know in a round
//! * [`shards`]: its flows in a fixed number of parts, taken in rounds; [`shard`]: one of them
//! * [`again`]: files of which segments are read again
//! * `sample`: flows that were closed, some of which are read; `senders`: whose checksums can be believed
//! * [`batch`]: the segments of one round
//! * [`counted`]: what is counted of connections that have left
//! * [`crew`]: threads, and any job for them

pub mod again;
pub mod batch;
pub mod counted;
pub mod crew;
pub mod orders;
pub mod point;
mod sample;
mod senders;
pub mod shard;
pub mod shards;
