//! Memory that is needed soon, on its way while something else is done.

use prefetch_index::prefetch_index;

/// Has the line of the cache fetched in which a value begins. Nothing waits for it.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    prefetch_index(std::slice::from_ref(value), 0);
}
