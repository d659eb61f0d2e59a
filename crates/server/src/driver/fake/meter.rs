//! Containers that work evenly: each on half a core, each pod that is known in it on a quarter.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::driver::meter::{Counters, Meter, MeterError, Reading};

/// Counts by the test's clock.
pub(crate) struct FakeMeter {
    began: Instant,
    pods: Mutex<Vec<String>>,
    error: Mutex<Option<MeterError>>,
    readings: AtomicUsize,
}

impl Default for FakeMeter {
    fn default() -> Self {
        let (pods, error, readings) = (Mutex::default(), Mutex::default(), AtomicUsize::default());
        Self { began: Instant::now(), pods, error, readings }
    }
}

impl FakeMeter {
    /// From now on these pods are in every container.
    pub(crate) fn hold_pods(&self, uids: &[&str]) {
        *self.pods.lock().unwrap() = uids.iter().map(ToString::to_string).collect();
    }

    /// From now on nothing can be read.
    pub(crate) fn fail(&self, error: MeterError) {
        *self.error.lock().unwrap() = Some(error);
    }

    /// How often a container was read.
    pub(crate) fn readings(&self) -> usize {
        self.readings.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Meter for FakeMeter {
    async fn read(&self, _container: &str, _process: u32) -> Result<Option<Reading>, MeterError> {
        self.readings.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = self.error.lock().unwrap().clone() {
            return Err(error);
        }
        let counters = |share: u32, memory| Counters { cpu: self.began.elapsed() / share, memory };
        let pods = self.pods.lock().unwrap().iter().map(|uid| (uid.clone(), counters(4, 1 << 20))).collect();
        Ok(Some(Reading { container: counters(2, 1 << 30), pods }))
    }
}
