//! Random numbers that a seed fixes for ever: splitmix64; or choices that somebody made, as long as there
//! are any.

use std::collections::VecDeque;

pub struct Prng {
    state: u64,
    /// Comes first, an octet or two for each choice.
    chosen: VecDeque<u8>,
}

impl Prng {
    pub fn new(seed: u64) -> Prng {
        Prng { state: seed, chosen: VecDeque::new() }
    }

    /// Choices that a fuzzer changes one by one: what follows them is fixed.
    pub fn led_by(octets: &[u8]) -> Prng {
        Prng { state: 0, chosen: octets.iter().copied().collect() }
    }

    /// The first half of the choices that are left, for a generator of its own.
    pub fn split(&mut self) -> Prng {
        let rest = self.chosen.split_off(self.chosen.len() / 2);
        let chosen = std::mem::replace(&mut self.chosen, rest);
        Prng { state: self.next(), chosen }
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.choice(n).unwrap_or_else(|| self.next()) % n
    }

    /// Takes as many octets as a choice among `n` needs; `None` where they are used up.
    fn choice(&mut self, n: u64) -> Option<u64> {
        let low = u64::from(self.chosen.pop_front()?);
        if n <= 1 << 8 {
            return Some(low);
        }
        let high = u64::from(self.chosen.pop_front()?);
        // Spread over all of a large range: no octet is left without effect.
        let both = high << 8 | low;
        Some(if n <= 1 << 16 { both } else { both * (n >> 16) + both })
    }

    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn per_mille(&mut self, n: u64) -> bool {
        self.below(1_000) < n
    }

    pub fn side(&mut self) -> usize {
        self.below(2) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A pause of any order of magnitude from a millisecond to half a minute, in microseconds.
    pub fn pause(&mut self) -> u64 {
        let magnitude = self.pick(&[1_000, 10_000, 100_000, 1_000_000, 5_000_000]);
        self.between(magnitude, magnitude * 9)
    }
}
