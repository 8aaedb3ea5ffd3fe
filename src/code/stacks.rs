//! Stacks, each kept once: a program asks from few places.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Stacks that are kept. A program with more calls sites than this is not followed into all of them.
const MAX_STACKS: usize = 16_384;

/// Addresses of the functions that called one another, the innermost first, and how they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stack {
    /// Return addresses, the innermost first.
    pub addresses: Vec<u64>,
    /// The way by which they were found.
    pub found: Found,
}

/// The way along which callers were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Found {
    /// Along frame pointers: right where each function keeps one.
    #[default]
    Chain,
    /// By the program's tables for unwinding, to its outermost function.
    Whole,
    /// By those tables, up to where the copy of the stack ends.
    Copied,
    /// By those tables, up to code that has none.
    Tables,
}

/// The number of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackId(u32);

/// All stacks seen so far.
#[derive(Debug, Default)]
pub struct Stacks {
    ids: HashMap<Arc<Stack>, StackId, RandomState>,
    all: Vec<Arc<Stack>>,
}

impl Stacks {
    /// Returns the number of a stack; none where there are too many.
    pub fn intern(&mut self, stack: &Stack) -> Option<StackId> {
        if let Some(id) = self.ids.get(stack) {
            return Some(*id);
        }
        if self.all.len() >= MAX_STACKS {
            return None;
        }
        let (stack, id) = (Arc::new(stack.clone()), StackId(self.all.len() as u32));
        self.all.push(Arc::clone(&stack));
        self.ids.insert(stack, id);
        Some(id)
    }

    /// Returns the stack of a number.
    pub fn get(&self, StackId(id): StackId) -> Option<Arc<Stack>> {
        self.all.get(id as usize).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(addresses: &[u64]) -> Stack {
        Stack { addresses: addresses.to_vec(), found: Found::Chain }
    }

    #[test]
    fn the_same_stack_has_the_same_number() {
        let mut stacks = Stacks::default();
        let (a, b) = (stacks.intern(&stack(&[1, 2])), stacks.intern(&stack(&[1, 3])));
        assert!(a != b && a == stacks.intern(&stack(&[1, 2])));
        let whole = Stack { found: Found::Whole, ..stack(&[1, 2]) };
        assert!(a != stacks.intern(&whole), "found in another way");
        assert_eq!(a.and_then(|a| stacks.get(a)).as_deref(), Some(&stack(&[1, 2])));
        for other in 0..2 * MAX_STACKS as u64 {
            stacks.intern(&stack(&[other]));
        }
        assert_eq!((stacks.all.len(), stacks.intern(&stack(&[u64::MAX]))), (MAX_STACKS, None));
    }
}
