//! Python's `str()` of floats and bools.

/// `str(number)` of a Python float.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = mantissa_and_exponent(&shortest);
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    // Both print the fewest digits that read back as the same number. Of two equally near ones Python takes the even
    // one; Rust does so only for a given number of digits.
    if (-4..16).contains(&exponent) {
        let places = decimals.saturating_add_signed(-exponent).max(1);
        return format!("{number:.places$}");
    }
    let nearest = format!("{number:.decimals$e}");
    // Next to a power of two, the nearest decimal may read back as the neighboring number.
    let (digits, exponent) = mantissa_and_exponent(if nearest.parse() == Ok(number) { &nearest } else { &shortest });
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn mantissa_and_exponent(scientific: &str) -> (&str, isize) {
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    (digits, exponent.parse().unwrap_or(0))
}

/// `str(flag)` of a Python bool.
pub(crate) fn boolean(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_equal_python_str() {
        // Each right side was printed by `str(...)` of Python 3.
        for (value, text) in [
            (2.0, "2.0"),
            (-0.0, "-0.0"),
            (1e22, "1e+22"),
            (1e-7, "1e-07"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (123_456_789.125, "123456789.125"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (0.1 + 0.2, "0.30000000000000004"),
            // Exactly …720.25 and …437.25.
            (998_135_425_545_720.3, "998135425545720.2"),
            (-811_938_075_902_437.3, "-811938075902437.2"),
            (-0.1, "-0.1"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (2_f64.powi(-44), "5.684341886080802e-14"),
        ] {
            assert_eq!(float(value), text);
        }
    }
}
