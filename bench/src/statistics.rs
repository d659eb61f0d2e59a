//! Few numbers out of many.

/// The middle one; of an even count, what lies between the middle two.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*lower, *upper))
}

/// The least of the values that this many percent do not exceed.
pub fn percentile(values: impl Iterator<Item = f64>, percent: usize) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get((values.len() * percent).div_ceil(100).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 8.0].into_iter()), Some(3.0));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred = || (1..=100).rev().map(f64::from);
        assert_eq!((percentile(hundred(), 50), percentile(hundred(), 99)), (Some(50.0), Some(99.0)));
        assert_eq!(percentile([7.0].into_iter(), 99), Some(7.0));
        assert_eq!(percentile(std::iter::empty(), 99), None);
    }
}
