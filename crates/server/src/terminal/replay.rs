//! What a program wrote lately, for who comes back to it.

use std::collections::VecDeque;

use axum::body::Bytes;

/// The last bytes that were written, so many at most.
#[derive(Debug)]
pub(super) struct Replay {
    chunks: VecDeque<Bytes>,
    length: usize,
    limit: usize,
}

impl Replay {
    pub(super) fn new(limit: usize) -> Self {
        Self { chunks: VecDeque::new(), length: 0, limit }
    }

    /// Takes in what was written.
    pub(super) fn push(&mut self, chunk: &Bytes) {
        let kept = chunk.slice(chunk.len().saturating_sub(self.limit)..);
        // A program that writes single bytes would have each of them cost many.
        match self.chunks.back_mut() {
            Some(last) if last.len() + kept.len() <= JOINED => *last = [&last[..], &kept[..]].concat().into(),
            _ => self.chunks.push_back(kept.clone()),
        }
        self.length += kept.len();
        while self.length > self.limit
            && let Some(first) = self.chunks.pop_front()
        {
            let excess = first.len().min(self.length - self.limit);
            self.length -= excess;
            if excess < first.len() {
                self.chunks.push_front(first.slice(excess..));
            }
        }
    }

    /// All of it, in order.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Bytes> {
        self.chunks.iter().cloned()
    }
}

/// Chunks are joined up to this length.
const JOINED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(replay: &Replay) -> String {
        replay.chunks().map(|chunk| String::from_utf8_lossy(&chunk).into_owned()).collect()
    }

    #[test]
    fn the_last_bytes_are_kept_and_no_more_than_may_be() {
        let mut replay = Replay::new(10);
        for word in ["one ", "two "] {
            replay.push(&Bytes::from_static(word.as_bytes()));
        }
        assert_eq!(text(&replay), "one two ");
        replay.push(&Bytes::from_static(b"0123456789abc"));
        assert_eq!(text(&replay), "3456789abc");
    }

    #[test]
    fn single_bytes_cost_little() {
        let mut replay = Replay::new(256 * 1024);
        for _ in 0..1_000_000 {
            replay.push(&Bytes::from_static(b"x"));
        }
        assert_eq!(replay.length, 256 * 1024);
        assert!(replay.chunks.len() <= 257, "{}", replay.chunks.len());
    }
}
