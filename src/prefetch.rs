//! Memory that is needed soon, on its way while something else is done.

use prefetch_index::prefetch_index;

/// Octets of a line of the cache.
pub const LINE: usize = 64;

/// Has the line of the cache fetched in which a value begins. Nothing waits for it.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    prefetch_index(std::slice::from_ref(value), 0);
}

/// Has room for values that come soon fetched from memory, so many octets behind those that are there.
#[inline(always)]
pub fn prefetch_room<T>(values: &mut Vec<T>, octets: usize) {
    let room = values.spare_capacity_mut();
    room.get(octets.div_ceil(size_of::<T>())).into_iter().for_each(prefetch);
}
