//! Numbers and random strings in base 62. The alphabet is in ASCII order, so that strings of equal length sort like
//! their numbers.

/// The digits, in ASCII order.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The largest multiple of 62 that fits a byte. Random bytes from here on would favor the first digits.
const FAIR: u8 = 248;

/// Writes a number with exactly `width` digits: padded with `0`, or cut on the left.
pub(crate) fn encode(mut number: u64, width: usize) -> String {
    let mut digits = vec![DIGITS[0]; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

/// Returns `width` random digits, equally distributed, from the operating system's generator.
///
/// # Panics
/// Panics if the generator fails, because no id or token can then be safe.
pub(crate) fn random(width: usize) -> String {
    let mut digits = String::with_capacity(width);
    let mut bytes = [0; 64];
    while digits.len() < width {
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        let wanted = width - digits.len();
        digits.extend(
            fair.take(wanted)
                .map(|byte| char::from(DIGITS[(byte % 62) as usize])),
        );
    }
    digits
}

/// Whether every byte of `text` is a digit.
pub(crate) fn is_valid(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_and_sort_as_they_count() {
        assert_eq!(encode(0, 3), "000");
        assert_eq!(encode(61, 3), "00z");
        assert_eq!(encode(62, 3), "010");
        assert_eq!(encode(u64::from(u32::MAX), 6), "4gfFC3");
        assert!(encode(61, 7) < encode(62, 7));
    }

    proptest::proptest! {
        #[test]
        fn ids_of_a_later_time_sort_later(a in 0..62_u64.pow(7), b in 0..62_u64.pow(7)) {
            proptest::prop_assert_eq!(encode(a, 7).cmp(&encode(b, 7)), a.cmp(&b));
        }
    }

    #[test]
    fn random_digits_are_as_many_as_asked_for_and_use_the_whole_alphabet() {
        let digits = random(10_000);
        assert_eq!(digits.len(), 10_000);
        assert!(is_valid(&digits));
        for digit in DIGITS {
            let count = digits.bytes().filter(|byte| byte == digit).count();
            // 161 are expected of each; less than 80 or more than 280 is beyond six standard deviations.
            assert!(
                (80..280).contains(&count),
                "{} came {count} times",
                char::from(*digit)
            );
        }
    }
}
