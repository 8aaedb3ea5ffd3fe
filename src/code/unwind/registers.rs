//! Registers as the kernel hands them over, by the numbers that tables for unwinding know them by.

/// Registers that a table may name.
pub const MOST: usize = if cfg!(target_arch = "x86_64") { 17 } else { 33 };

/// The part of a stack that was copied, and the registers of whoever called the kernel.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Registers at the moment of the event.
    pub registers: Registers,
    /// From the stack pointer on.
    pub stack: Vec<u8>,
}

/// Registers by DWARF's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    known: [Option<u64>; MOST],
    /// The instruction.
    pub ip: u64,
}

/// The kernel's numbers (`asm/perf_regs.h`), each with DWARF's: those by which functions keep the end of their frames,
/// and the instruction. Each of them costs every send.
#[cfg(target_arch = "x86_64")]
pub const PERF_REGISTERS: &[(u32, u16)] = &[(6, FP), (7, SP), (8, IP)];
#[cfg(target_arch = "x86_64")]
pub const SP: u16 = 7;
#[cfg(target_arch = "x86_64")]
pub const FP: u16 = 6;
#[cfg(target_arch = "x86_64")]
const IP: u16 = 16;

/// The kernel's numbers, each with DWARF's: here they are the same. One more has the address to return to.
#[cfg(target_arch = "aarch64")]
pub const PERF_REGISTERS: &[(u32, u16)] = &[(29, FP), (30, 30), (31, SP), (32, IP)];
#[cfg(target_arch = "aarch64")]
pub const SP: u16 = 31;
#[cfg(target_arch = "aarch64")]
pub const FP: u16 = 29;
#[cfg(target_arch = "aarch64")]
const IP: u16 = 32;

/// Other machines are read along frame pointers alone.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub const PERF_REGISTERS: &[(u32, u16)] = &[];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub const SP: u16 = 31;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub const FP: u16 = 29;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const IP: u16 = 32;

/// The kernel's numbers as a mask.
pub const MASK: u64 = {
    let (mut mask, mut at) = (0, 0);
    while at < PERF_REGISTERS.len() {
        mask |= 1 << PERF_REGISTERS[at].0;
        at += 1;
    }
    mask
};

impl Registers {
    /// Takes them in the kernel's order; none if some are missing.
    #[must_use]
    pub fn of_perf(values: &[u64]) -> Option<Registers> {
        if values.len() != PERF_REGISTERS.len() || values.is_empty() {
            return None;
        }
        let mut registers = Registers { known: [None; MOST], ip: 0 };
        for ((_, number), value) in PERF_REGISTERS.iter().zip(values) {
            match *number {
                IP => registers.ip = *value,
                number => registers.set(number, Some(*value)),
            }
        }
        Some(registers)
    }

    /// Returns the value of a register, by its DWARF number, where it is known.
    pub fn get(&self, number: u16) -> Option<u64> {
        self.known.get(usize::from(number)).copied().flatten()
    }

    /// Sets a register, by its DWARF number, or forgets it.
    pub fn set(&mut self, number: u16, value: Option<u64>) {
        if let Some(known) = self.known.get_mut(usize::from(number)) {
            *known = value;
        }
    }

    /// Returns the stack pointer.
    pub fn sp(&self) -> Option<u64> {
        self.get(SP)
    }
}

impl Copied {
    /// Returns the number at an address of the stack.
    #[must_use]
    pub fn word(&self, base: u64, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(base)?).ok()?;
        let octets = self.stack.get(at..at.checked_add(8)?)?;
        Some(u64::from_ne_bytes(octets.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_have_both_numbers() {
        let values: Vec<u64> = PERF_REGISTERS.iter().map(|(perf, _)| u64::from(*perf)).collect();
        let registers = Registers::of_perf(&values).unwrap();
        for (perf, number) in PERF_REGISTERS.iter().filter(|(_, number)| *number != IP) {
            assert_eq!(registers.get(*number), Some(u64::from(*perf)));
            assert!(MASK & 1 << perf != 0);
        }
        assert_eq!(registers.sp(), registers.get(SP));
        assert_eq!((registers.get(0), registers.get(999)), (None, None));
        assert_eq!(Registers::of_perf(&values[1..]), None);
    }

    #[test]
    fn words_of_a_stack_are_in_it_or_not_there() {
        let registers = Registers { known: [None; MOST], ip: 0 };
        let copied = Copied { registers, stack: 7_u64.to_ne_bytes().repeat(2) };
        assert_eq!((copied.word(96, 96), copied.word(96, 104)), (Some(7), Some(7)));
        assert_eq!((copied.word(96, 105), copied.word(96, 95)), (None, None));
        assert_eq!(copied.word(0, u64::MAX), None);
    }
}
