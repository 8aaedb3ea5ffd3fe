//! Stacks, each kept once: a program asks from few places.

use std::collections::HashMap;
use std::sync::Arc;

/// Stacks that are kept. A program with more calls sites than this is not followed into all of them.
const MAX_STACKS: usize = 16_384;

/// The number of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackId(u32);

/// All stacks seen so far.
#[derive(Debug, Default)]
pub struct Stacks {
    ids: HashMap<Arc<[u64]>, StackId>,
    all: Vec<Arc<[u64]>>,
}

impl Stacks {
    /// Returns the number of a stack; none where there are too many.
    pub fn intern(&mut self, stack: &[u64]) -> Option<StackId> {
        if let Some(id) = self.ids.get(stack) {
            return Some(*id);
        }
        if self.all.len() >= MAX_STACKS {
            return None;
        }
        let (stack, id): (Arc<[u64]>, _) = (stack.into(), StackId(self.all.len() as u32));
        self.all.push(Arc::clone(&stack));
        self.ids.insert(stack, id);
        Some(id)
    }

    /// Returns the addresses, the innermost first.
    pub fn get(&self, StackId(id): StackId) -> Option<Arc<[u64]>> {
        self.all.get(id as usize).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_stack_has_the_same_number() {
        let mut stacks = Stacks::default();
        let (a, b) = (stacks.intern(&[1, 2]), stacks.intern(&[1, 3]));
        assert!(a != b && a == stacks.intern(&[1, 2]));
        assert_eq!(a.and_then(|a| stacks.get(a)).as_deref(), Some(&[1, 2][..]));
        for other in 0..2 * MAX_STACKS as u64 {
            stacks.intern(&[other]);
        }
        assert_eq!((stacks.all.len(), stacks.intern(&[u64::MAX])), (MAX_STACKS, None));
    }
}
