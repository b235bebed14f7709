//! What some noisy figures say together: their median, and how well it is known.

/// The middle one of some figures; the mean of the middle two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        sorted[middle - 1].midpoint(sorted[middle])
    } else {
        sorted[middle]
    }
}

/// Between which figures the true median lies, with at least 95 % confidence, whatever the noise
/// is distributed like: each figure is above it as often as a coin falls on its head. Needs six.
pub fn interval(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    // P(heads <= k) of `count` coins, as long as it is at most a fortieth.
    let mut outside = 0;
    let mut chance: f64 = (0..count).map(|_| 0.5).product();
    let mut total = chance;
    while total <= 0.025 && outside < count / 2 {
        outside += 1;
        chance *= (count - outside + 1) as f64 / outside as f64;
        total += chance;
    }
    assert!(outside > 0, "{count} figures are too few for an interval");
    (sorted[outside - 1], sorted[count - outside])
}
