//! As much of WebSocket's frames (RFC 6455, section 5.2) as it takes to count a server's messages: it costs the machine
//! hardly more than reading them away does.

/// The longest header of a frame that is not masked.
const HEADER: usize = 10;

const TEXT: u8 = 1;
const PING: u8 = 9;

/// Counts frames in what a server sends, however that is cut.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    header: [u8; HEADER],
    /// How much of it is there.
    held: usize,
    /// How much of the payload is to come.
    rest: u64,
}

/// What was complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) texts: u32,
    pub(crate) pings: u32,
}

impl Frames {
    /// Takes in what was read next.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> Counted {
        let mut counted = Counted::default();
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = bytes.len().min(usize::try_from(self.rest).unwrap_or(usize::MAX));
                bytes = &bytes[skipped..];
                self.rest -= skipped as u64;
            } else {
                self.header[self.held] = bytes[0];
                self.held += 1;
                bytes = &bytes[1..];
                match self.length() {
                    Some(length) => self.rest = length,
                    None => continue,
                }
            }
            if self.rest == 0 {
                self.held = 0;
                match self.header[0] & 0x0f {
                    TEXT => counted.texts += 1,
                    PING => counted.pings += 1,
                    _ => {}
                }
            }
        }
        counted
    }

    /// The payload's length, where the header is complete.
    fn length(&self) -> Option<u64> {
        let extended = |bytes: usize| {
            let number = |length, byte: &u8| length << 8 | u64::from(*byte);
            (self.held == 2 + bytes).then(|| self.header[2..2 + bytes].iter().fold(0, number))
        };
        match (self.held, self.header[1] & 0x7f) {
            (0 | 1, _) => None,
            (_, 126) => extended(2),
            (_, 127) => extended(8),
            (_, short) => Some(short.into()),
        }
    }
}

/// A server's frame with this text.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let length = text.len();
    let mut frame = vec![0x80 | TEXT];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(text.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let sizes = [0, 1, 125, 126, 300, 65_535, 65_536, 70_000];
        let mut stream: Vec<u8> = sizes.iter().flat_map(|size| text(&"x".repeat(*size))).collect();
        stream.extend([0x80 | PING, 0]);
        for cut in [1, 2, 3, 7, 127, 4096, stream.len()] {
            let (mut frames, mut total) = (Frames::default(), Counted::default());
            for part in stream.chunks(cut) {
                let counted = frames.count(part);
                total = Counted { texts: total.texts + counted.texts, pings: total.pings + counted.pings };
            }
            assert_eq!(total, Counted { texts: 8, pings: 1 }, "in parts of {cut}");
        }
        let mut frames = Frames::default();
        assert_eq!(frames.count(&stream[..stream.len() - 1]).pings, 0, "it is not complete");
    }
}
