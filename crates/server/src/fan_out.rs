//! One stream to many takers, each at its own pace within bounds: the source is read once, and no faster than the slowest
//! taker that still takes anything.

use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::bytes::Bytes;

/// The largest piece handed on, and how many of them wait for a taker: a megabyte, which all takers share.
const PIECE: usize = 64 * 1024;
const WAITING: usize = 16;

/// How long a taker may take nothing before the others go on without it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Hands a stream on.
#[derive(Debug)]
pub struct FanOut {
    takers: Vec<Option<mpsc::Sender<Bytes>>>,
    patience: Duration,
}

/// How much was handed on, told after every piece of the source.
pub type Told<'a> = &'a (dyn Fn(u64) + Send + Sync);

impl FanOut {
    /// For so many takers, with what each of them takes from.
    pub fn new(count: usize) -> (Self, Vec<BoxStream<'static, Bytes>>) {
        let (takers, streams) = (0..count).map(|_| mpsc::channel(WAITING)).unzip::<_, _, Vec<_>, Vec<_>>();
        let stream = |receiver: mpsc::Receiver<Bytes>| {
            stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) }).boxed()
        };
        let takers = takers.into_iter().map(Some).collect();
        (Self { takers, patience: PATIENCE }, streams.into_iter().map(stream).collect())
    }

    /// Hands on all of the source; ends early where no taker is left. What is taken from ends when this does.
    pub async fn run<E>(
        mut self,
        source: impl Stream<Item = Result<Bytes, E>> + Send,
        told: Told<'_>,
    ) -> Result<(), E> {
        let mut source = std::pin::pin!(source);
        let mut total = 0;
        while let Some(chunk) = source.next().await {
            let mut chunk = chunk?;
            total += chunk.len() as u64;
            while !chunk.is_empty() {
                let piece = chunk.split_to(chunk.len().min(PIECE));
                for taker in &mut self.takers {
                    let Some(sender) = taker else { continue };
                    // Who has gone has said why elsewhere; who takes nothing is cut off, and will say that too.
                    if !matches!(timeout(self.patience, sender.send(piece.clone())).await, Ok(Ok(()))) {
                        *taker = None;
                    }
                }
            }
            if self.takers.iter().all(Option::is_none) {
                return Ok(());
            }
            told(total);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

    fn source(chunks: usize, read: &AtomicUsize) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + '_ {
        stream::iter(0..chunks).map(move |index| {
            read.fetch_add(1, Ordering::Relaxed);
            Ok(Bytes::from(vec![u8::try_from(index % 251).unwrap(); PIECE + 1]))
        })
    }

    async fn taken(stream: BoxStream<'static, Bytes>) -> Vec<u8> {
        stream.collect::<Vec<Bytes>>().await.concat()
    }

    #[tokio::test]
    async fn every_taker_gets_all_of_it_in_order() {
        let (fan_out, mut streams) = FanOut::new(2);
        let (read, total) = (AtomicUsize::new(0), AtomicU64::new(0));
        let told = |bytes| total.store(bytes, Ordering::Relaxed);
        let (right, left) = (streams.pop().unwrap(), streams.pop().unwrap());
        let (outcome, left, right) = tokio::join!(fan_out.run(source(40, &read), &told), taken(left), taken(right));
        outcome.unwrap();
        let expected: Vec<u8> = (0..40_u8).flat_map(|index| vec![index; PIECE + 1]).collect();
        assert!(left == expected && right == expected);
        assert_eq!(total.into_inner(), expected.len() as u64);
    }

    #[tokio::test]
    async fn the_source_is_read_no_faster_than_it_is_taken() {
        let (fan_out, mut streams) = FanOut::new(1);
        let read = AtomicUsize::new(0);
        let told = |_| ();
        let mut running = Box::pin(fan_out.run(source(1000, &read), &told));
        assert!(futures_util::poll!(&mut running).is_pending());
        let before = read.load(Ordering::Relaxed);
        assert!(before <= WAITING, "{before}");
        let mut stream = streams.pop().unwrap();
        stream.next().await.unwrap();
        stream.next().await.unwrap();
        assert!(futures_util::poll!(&mut running).is_pending());
        assert_eq!(read.load(Ordering::Relaxed), before + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_takes_nothing_is_cut_off_and_the_others_go_on() {
        let (fan_out, mut streams) = FanOut::new(3);
        let read = AtomicUsize::new(0);
        let told = |_| ();
        let (good, stuck, gone) = (streams.remove(0), streams.remove(0), streams.remove(0));
        drop(gone);
        let (outcome, good) = tokio::join!(fan_out.run(source(40, &read), &told), taken(good));
        outcome.unwrap();
        assert_eq!(good.len(), 40 * (PIECE + 1));
        assert_eq!(taken(stuck).await.len() / PIECE, WAITING / 2, "what waited for it, in pieces of two sizes");
    }

    #[tokio::test]
    async fn a_source_that_fails_ends_it_for_all() {
        let (fan_out, mut streams) = FanOut::new(1);
        let source = stream::iter([Ok(Bytes::from_static(b"a")), Err("broken")]);
        let told = |_| ();
        let (outcome, taken) = tokio::join!(fan_out.run(source, &told), taken(streams.pop().unwrap()));
        assert_eq!((outcome, taken.as_slice()), (Err("broken"), b"a".as_slice()));
    }

    #[tokio::test]
    async fn without_takers_nothing_is_read() {
        let (fan_out, streams) = FanOut::new(2);
        drop(streams);
        let (read, told) = (AtomicUsize::new(0), |_| ());
        fan_out.run(source(1000, &read), &told).await.unwrap();
        assert_eq!(read.load(Ordering::Relaxed), 1);
    }
}
