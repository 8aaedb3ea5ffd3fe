//! A conversation, as [`closewait_fuzz::converse`] makes one of octets.

#![no_main]

use closewait::attach::kafka::{Kafka, MAX_HEAP};
use closewait_fuzz::converse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| converse(bytes, Kafka::heap_octets, MAX_HEAP));
