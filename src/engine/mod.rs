//! Segments become judged connections, on all cores: pure but for threads.
//!
//! * [`point`]: one capture point, its facts and its shards
//! * [`shards`]: its flows in a fixed number of parts, taken in rounds
//! * [`batch`]: the segments of one round
//! * [`crew`]: threads, and any job for them

pub mod batch;
pub mod crew;
pub mod point;
pub mod shards;
