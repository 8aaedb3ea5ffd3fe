//! The frame that a connection is named by.

use super::chosen::{Choice, Found};
use crate::capture::file::{FileSource, Input};
use crate::capture::{Error, Next, Source};
use crate::decode::{Decoder, Skipped};
use crate::units::count;

/// Reads a file as far as this frame.
pub fn find_frame(input: &Input, number: u64, vxlan: &[u16]) -> Result<Found, String> {
    let sentence = |error: Error| error.to_string();
    let mut source = FileSource::open(input, 0).map_err(sentence)?;
    let name = source.name().to_owned();
    let decoder = Decoder::with_vxlan(vxlan);
    let mut frames = 0;
    let mut wrong: Option<Skipped> = None;
    loop {
        // One that is damaged further on has the frame all the same.
        let frame = match source.next() {
            Ok(Next::Frame(frame)) => frame,
            Ok(Next::End) => break,
            Ok(_) => continue,
            Err(error) if wrong.is_none() => return Err(error.to_string()),
            Err(_) => break,
        };
        frames += 1;
        if frame.place.frame() == number {
            match decoder.decode(&frame) {
                Ok((segment, _)) => {
                    let choice = Choice::Frame { file: name, number };
                    return Ok(Found { key: segment.key, choice });
                }
                Err(reason) => wrong = Some(reason),
            }
        }
    }
    let frames = count(frames, "frame");
    Err(match wrong {
        Some(reason) => {
            format!("{name}: frame {number} is no TCP segment: {reason} (the file has {frames})")
        }
        None => format!("{name}: there is no frame {number}: the file has {frames}"),
    })
}
