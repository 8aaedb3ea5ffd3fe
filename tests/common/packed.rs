//! Captures as they are packed, for tests and seeds.

use std::io::Write;

fn deflated(octets: &[u8]) -> Vec<u8> {
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(octets).expect("memory");
    encoder.finish().expect("memory")
}

/// A zip archive, each member with its method, flags and what is wrong with its checksum.
pub fn zip(members: &[(&str, &[u8], u16, u16, u32)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, octets, method, flags, wrong) in members {
        // What is given for another method is packed already.
        let packed = if *method == 8 { deflated(octets) } else { octets.to_vec() };
        let mut crc = flate2::Crc::new();
        crc.update(octets);
        let common = [
            &[20, 0][..],
            &flags.to_le_bytes(),
            &method.to_le_bytes(),
            &[0, 0, 33, 0],
            &(crc.sum() ^ wrong).to_le_bytes(),
            &(packed.len() as u32).to_le_bytes(),
            &(octets.len() as u32).to_le_bytes(),
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let at = (file.len() as u32).to_le_bytes();
        directory
            .extend([&b"PK\x01\x02\x14\x00"[..], &common, &[0; 10], &at, name.as_bytes()].concat());
        file.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), &packed].concat());
    }
    let (at, len) = (file.len() as u32, directory.len() as u32);
    let count = (members.len() as u16).to_le_bytes();
    file.extend(directory);
    file.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count].concat());
    file.extend([&len.to_le_bytes()[..], &at.to_le_bytes(), &[0, 0]].concat());
    file
}

pub fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, octets) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(octets.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, *octets).expect("memory");
    }
    builder.into_inner().expect("memory")
}

pub fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(octets).expect("memory");
    encoder.finish().expect("memory")
}

pub fn xz(octets: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).expect("options");
    encoder.write_all(octets).expect("memory");
    encoder.finish().expect("memory")
}

pub fn bzip2(octets: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(octets).expect("memory");
    encoder.finish().expect("memory")
}

pub fn lz4(octets: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(octets).expect("memory");
    encoder.finish().expect("memory")
}
