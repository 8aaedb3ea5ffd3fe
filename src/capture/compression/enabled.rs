//! xz, bzip2 and lz4.

use std::io::BufReader;

use ::bzip2::bufread::BzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;

use super::Input;
use super::joined::{Joined, One};

const BZIP2: &[u8] = b"BZh";
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const LZ4: &[u8] = &[0x04, 0x22, 0x4d, 0x18];

/// Returns an input that unpacks while it is read, if `start` is the beginning of one of these
/// forms; otherwise the input as it came.
pub fn decompressed(start: &[u8], input: Input) -> Result<Input, Input> {
    match start {
        start if start.starts_with(BZIP2) => Ok(bzip2(input)),
        start if start.starts_with(XZ) => Ok(xz(input)),
        start if start.starts_with(LZ4) => Ok(Box::new(FrameDecoder::new(input))),
        _ => Err(input),
    }
}

/// Unpacks bzip2 as it is read.
pub fn bzip2(input: Input) -> Input {
    Box::new(Joined::<BzDecoder<_>>::new(input))
}

impl One for BzDecoder<BufReader<Input>> {
    fn begin(input: BufReader<Input>) -> Self {
        BzDecoder::new(input)
    }

    fn behind(self) -> BufReader<Input> {
        self.into_inner()
    }
}

/// `xz -9` needs 65 MB; what claims more than this is made to.
const MAX_XZ_KIB: u32 = 256 << 10;

/// Unpacks xz as it is read.
pub fn xz(input: Input) -> Input {
    Box::new(XzReader::new_mem_limit(input, true, MAX_XZ_KIB))
}
