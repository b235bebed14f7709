//! Figures as people read them.

/// A number with its thousands kept apart: `12,345`.
#[must_use]
pub fn thousands(number: u64, apart: char) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * apart.len_utf8());
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(apart);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_three_digits_from_the_end() {
        let read = [0, 999, 1_000, 12_345, 999_999, 1_234_567].map(|n| thousands(n, ','));
        assert_eq!(read, ["0", "999", "1,000", "12,345", "999,999", "1,234,567"]);
        assert_eq!(thousands(u64::MAX, '\u{a0}').chars().filter(|c| *c == '\u{a0}').count(), 6);
    }
}
