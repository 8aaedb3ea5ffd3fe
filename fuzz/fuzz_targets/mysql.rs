//! A conversation, as [`closewait_fuzz::converse`] makes one of octets.

#![no_main]

use closewait::attach::mysql::{MAX_HEAP, Mysql};
use closewait_fuzz::converse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| converse(bytes, Mysql::heap_octets, MAX_HEAP));
