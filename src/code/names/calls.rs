//! Return addresses: whether a call stands before an address.
//!
//! A chain of frame pointers runs into other data where a function keeps none. An address on it that no
//! call returns to was not one.

/// Octets before an address that are looked at.
pub const BEFORE: usize = 8;

/// Returns whether an instruction that calls ends where these octets do.
#[must_use]
pub fn ends_in_call(octets: &[u8; BEFORE]) -> bool {
    if cfg!(target_arch = "x86_64") { x86_64(octets) } else { aarch64(octets) }
}

/// Returns the function that the call before an address calls, where the instruction names it.
pub fn called(octets: &[u8; BEFORE], address: u64) -> Option<u64> {
    match *octets {
        [.., 0xe8, a, b, c, d] if cfg!(target_arch = "x86_64") => {
            address.checked_add_signed(i32::from_le_bytes([a, b, c, d]).into())
        }
        _ => None,
    }
}

/// `call rel32`, or `call` of a register or of memory, by its length (Intel SDM, 2.1).
fn x86_64(octets: &[u8; BEFORE]) -> bool {
    let from_end = |n: usize| octets.get(BEFORE - n..).unwrap_or_default();
    if from_end(5).first() == Some(&0xe8) {
        return true;
    }
    (2..=7).any(|len| match *from_end(len) {
        [0xff, modrm, ref rest @ ..] if modrm >> 3 & 7 == 2 => {
            let (mode, register) = (modrm >> 6, modrm & 7);
            let has_sib = mode != 3 && register == 4;
            let displacement = match (mode, register) {
                (1, _) => 1,
                (2, _) | (0, 5) => 4,
                (0, 4) if rest.first().is_some_and(|sib| sib & 7 == 5) => 4,
                _ => 0,
            };
            rest.len() == usize::from(has_sib) + displacement
        }
        _ => false,
    })
}

/// `BL` or `BLR`.
fn aarch64(octets: &[u8; BEFORE]) -> bool {
    let [.., a, b, c, d] = *octets;
    let word = u32::from_le_bytes([a, b, c, d]);
    word & 0xfc00_0000 == 0x9400_0000 || word & 0xffff_fc1f == 0xd63f_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(last: &[u8]) -> bool {
        let mut octets = [0x90; BEFORE];
        octets[BEFORE - last.len()..].copy_from_slice(last);
        x86_64(&octets)
    }

    #[test]
    fn calls_are_told_from_others() {
        assert!(ends(&[0xe8, 1, 2, 3, 4]), "call rel32");
        assert!(ends(&[0xff, 0xd0]) && ends(&[0x41, 0xff, 0xd3]), "call rax, call r11");
        assert!(ends(&[0xff, 0x15, 1, 2, 3, 4]), "call [rip+4]");
        assert!(ends(&[0xff, 0x50, 8]) && ends(&[0xff, 0x90, 1, 2, 3, 4]), "call [rax+8]");
        assert!(ends(&[0xff, 0x54, 0x24, 8]), "call [rsp+8]");
        assert!(ends(&[0xff, 0x14, 0xc5, 1, 2, 3, 4]), "call [rax*8+4]");
        assert!(!ends(&[0x90, 0x90]) && !ends(&[0xff, 0xe0]), "nop, jmp rax");
        assert!(!ends(&[0xff, 0x50]), "call [rax+x] without its x");
        assert!(
            aarch64(&[0, 0, 0, 0, 0, 0, 0, 0x94]) && aarch64(&[0, 0, 0, 0, 0x20, 0, 0x3f, 0xd6])
        );
        assert!(!aarch64(&[0; BEFORE]));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_call_names_its_function() {
        let call = [0x90, 0x90, 0x90, 0xe8, 0xfb, 0xff, 0xff, 0xff];
        assert_eq!(called(&call, 0x1005), Some(0x1000));
        assert_eq!(called(&[0x90; BEFORE], 0x1005), None);
    }
}
