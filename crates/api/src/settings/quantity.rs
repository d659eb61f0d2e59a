//! How much: processors, memory, time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::text_in_files;
use crate::name::NameError;

/// Processors in thousandths: `2`, `1.5` or `1500m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpus(u64);

/// Memory in bytes: `2Gi`, `512Mi` or `2G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(u64);

/// How long something may take: `90s`, `5m` or `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(Duration);

/// Kubernetes' suffixes of memory, the larger of each kind first.
const UNITS: [(&str, u64); 8] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

/// More than any host has.
const MOST_CPUS: u64 = 1_000_000;
const MOST_MEMORY: u64 = 1 << 50;

/// Nothing is ever waited for longer.
const LONGEST: Duration = Duration::from_hours(24);

impl Cpus {
    /// Thousandths of a processor.
    pub fn millis(self) -> u64 {
        self.0
    }
}

impl Memory {
    /// Bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl Timeout {
    /// For pods to leave a node, where nothing is said.
    pub(crate) const DRAIN: Self = Self(Duration::from_mins(2));

    /// As a duration.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Cpus {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            if let Some(millis) = text.strip_suffix('m') {
                return number(millis);
            }
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let places = u32::try_from(fraction.len()).ok().filter(|places| (1..=3).contains(places))?;
            number(whole)?.checked_mul(1000)?.checked_add(number(fraction)? * 10_u64.pow(3 - places))
        };
        let cpus = parse().filter(|millis| (1..=MOST_CPUS).contains(millis)).map(Self);
        cpus.ok_or_else(|| NameError::new("number of processors", text, "is none such as 2, 1.5 or 1500m"))
    }
}

impl FromStr for Memory {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            let unit = UNITS.into_iter().find_map(|(suffix, bytes)| Some((text.strip_suffix(suffix)?, bytes)));
            let (count, bytes) = unit.unwrap_or((text, 1));
            number(count)?.checked_mul(bytes)
        };
        let memory = parse().filter(|bytes| (1..=MOST_MEMORY).contains(bytes)).map(Self);
        memory.ok_or_else(|| NameError::new("amount of memory", text, "is none such as 2Gi, 512Mi or 2G"))
    }
}

impl FromStr for Timeout {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            let (mut seconds, mut rest) = (0_u64, text);
            for (unit, factor) in [('h', 3600), ('m', 60), ('s', 1)] {
                if let Some((count, behind)) = rest.split_once(unit) {
                    seconds = number(count)?.checked_mul(factor)?.checked_add(seconds)?;
                    rest = behind;
                }
            }
            let duration = Duration::from_secs(seconds);
            (rest.is_empty() && seconds > 0 && duration <= LONGEST).then_some(Self(duration))
        };
        parse().ok_or_else(|| NameError::new("time", text, "is none such as 90s, 5m or 1h30m, up to 24h"))
    }
}

/// Digits alone: no sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Cpus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(formatter, "{}", self.0 / 1000)
        } else {
            write!(formatter, "{}m", self.0)
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.into_iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes));
        let (suffix, bytes) = unit.unwrap_or(("", 1));
        write!(formatter, "{}{suffix}", self.0 / bytes)
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        for (count, unit) in [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')] {
            if count > 0 {
                write!(formatter, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

text_in_files!(Cpus, Memory, Timeout);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors() {
        for (text, millis, printed) in [
            ("2", 2000, "2"),
            ("1.5", 1500, "1500m"),
            ("0.25", 250, "250m"),
            ("1500m", 1500, "1500m"),
            ("0.001", 1, "1m"),
        ] {
            let cpus: Cpus = text.parse().unwrap();
            assert_eq!((cpus.millis(), cpus.to_string().as_str()), (millis, printed));
        }
        for text in ["", "0", "-1", "+1", "1.", ".5x", "1.2345", "two", "1e3", "1001000m", "m"] {
            assert!(text.parse::<Cpus>().is_err(), "{text}");
        }
    }

    #[test]
    fn memory() {
        for (text, bytes, printed) in [
            ("2Gi", 2 << 30, "2Gi"),
            ("1536Mi", 1536 << 20, "1536Mi"),
            ("2G", 2_000_000_000, "1953125Ki"),
            ("1000001", 1_000_001, "1000001"),
        ] {
            let memory: Memory = text.parse().unwrap();
            assert_eq!((memory.bytes(), memory.to_string().as_str()), (bytes, printed));
            assert_eq!(printed.parse(), Ok(memory));
        }
        for text in ["", "0", "Gi", "2GB", "2gi", "-2Gi", "1.5Gi", "9999999Ti"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, seconds, printed) in
            [("90s", 90, "1m30s"), ("5m", 300, "5m"), ("1h30m", 5400, "1h30m"), ("24h", 86400, "24h")]
        {
            let timeout: Timeout = text.parse().unwrap();
            assert_eq!((timeout.get().as_secs(), timeout.to_string().as_str()), (seconds, printed));
            assert_eq!(printed.parse(), Ok(timeout));
        }
        for text in ["", "5", "0s", "5m5", "m", "5s5m", "25h", "-5m", "1.5h"] {
            assert!(text.parse::<Timeout>().is_err(), "{text}");
        }
    }
}
