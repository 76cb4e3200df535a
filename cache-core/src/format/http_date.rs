//! HTTP dates (RFC 9110, 5.6.7), read and written, in Unix seconds.
//!
//! Letters of any case and a wrong weekday are accepted, since the date is unambiguous and a refetch costs more. All
//! else is as strict as the grammar: an invalid `Expires` means "stale".

use std::time::{Duration, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` or one of the two obsolete forms; returns `None` if it is no date.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let Some((weekday, rest)) = text.split_once(", ") else { return asctime(text) };
    let mut parts = rest.split(' ');
    let mut next = || parts.next();
    let seconds = if rest.contains('-') {
        is_one_of(weekday, &DAYS).then_some(())?;
        let mut date = next()?.splitn(3, '-');
        let (day, month, year) = (number(date.next()?, 2)?, date.next()?, number(date.next()?, 2)?);
        // A year of two digits is read as in POSIX: no clock is needed.
        let century = if year < 70 { 2_000 } else { 1_900 };
        midnight(century + year, month, day)? + time(next()?)?
    } else {
        is_short_day(weekday).then_some(())?;
        let (day, month, year) = (number(next()?, 2)?, next()?, number(next()?, 4)?);
        midnight(year, month, day)? + time(next()?)?
    };
    (next()?.eq_ignore_ascii_case("GMT") && next().is_none()).then_some(seconds)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &str) -> Option<f64> {
    let field = |from: usize, to: usize| text.get(from..to);
    let spaces = [3, 7, 10, 19].iter().all(|at| field(*at, at + 1) == Some(" "));
    if text.len() != 24 || !spaces || !is_short_day(field(0, 3)?) {
        return None;
    }
    let day = field(8, 10)?;
    let day = day.strip_prefix(' ').map_or_else(|| number(day, 2), |digit| number(digit, 1))?;
    Some(midnight(number(field(20, 24)?, 4)?, field(4, 7)?, day)? + time(field(11, 19)?)?)
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_short_day(name: &str) -> bool {
    is_one_of(name, &DAYS.map(|day| &day[..3]))
}

fn number(digits: &str, length: usize) -> Option<i64> {
    let is_number = digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// `08:49:37`; a leap second is the 60th.
fn time(text: &str) -> Option<f64> {
    let mut parts = text.splitn(3, ':').map(|part| number(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    (hour < 24 && minute < 60 && second <= 60).then(|| (hour * 3_600 + minute * 60 + second) as f64)
}

fn midnight(year: i64, month: &str, day: i64) -> Option<f64> {
    let (month, _) = (1..).zip(MONTHS).find(|(_, known)| known.eq_ignore_ascii_case(month))?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    // A year that begins in March ends with the leap day, so the days before each month follow a linear formula.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + day - 1;
    Some((days - DAYS_TO_1970) as f64 * 86_400.0)
}

/// From 1 March of the year 0.
const DAYS_TO_1970: i64 = 719_468;

/// Writes a time as `Sun, 06 Nov 1994 08:49:37 GMT`; returns `None` outside of the years 1970 to 9999.
pub(crate) fn format(time: f64) -> Option<String> {
    const YEAR_10000: f64 = 253_402_300_800.0;
    let seconds = Duration::try_from_secs_f64(time).ok().filter(|_| time < YEAR_10000)?;
    Some(httpdate::fmt_http_date(UNIX_EPOCH + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TIME: f64 = 784_111_777.0;

    #[rstest]
    #[case("Sun, 06 Nov 1994 08:49:37 GMT", Some(TIME))]
    #[case("Sunday, 06-Nov-94 08:49:37 GMT", Some(TIME))]
    #[case("Sun Nov  6 08:49:37 1994", Some(TIME))]
    #[case("Sun Nov 16 08:49:37 1994", Some(TIME + 864_000.0))]
    #[case(" SUN, 06 nov 1994 08:49:37 gMT ", Some(TIME))]
    #[case("Mon, 06 Nov 1994 08:49:37 GMT", Some(TIME))]
    #[case("Thu, 01 Jan 1970 00:00:00 GMT", Some(0.0))]
    #[case("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1.0))]
    #[case("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400.0))]
    #[case("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799.0))]
    #[case("Thursday, 18-Aug-50 02:01:18 GMT", Some(2_544_400_878.0))]
    #[case("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_800.0))]
    #[case("0", None)]
    #[case("-1", None)]
    #[case("", None)]
    #[case("Sun, 06 Nov 1994 08:49:37 UTC", None)]
    #[case("Sun, 06 Nov 1994 08:49:37 GMT x", None)]
    #[case("Sun, 06 Nov 94 08:49:37 GMT", None)]
    #[case("Sun 06 Nov 1994 08:49:37 GMT", None)]
    #[case("Sun, 06  Nov  1994 08:49:37 GMT", None)]
    #[case("Sun, 06-Nov-1994 08:49:37 GMT", None)]
    #[case("Sun, 06 Nov 1994 08.49.37 GMT", None)]
    #[case("Sun, 06 Nov 1994 8:49:37 GMT", None)]
    #[case("Sun, 31 Feb 1994 08:49:37 GMT", None)]
    #[case("Sun, 06 Nov 1994 24:00:00 GMT", None)]
    #[case("Son, 06 Nov 1994 08:49:37 GMT", None)]
    #[case("Süü Nov  6 08:49:37 199", None)]
    fn dates_are_parsed_by_the_grammar(#[case] text: &str, #[case] seconds: Option<f64>) {
        assert_eq!(parse(text), seconds);
    }

    #[test]
    fn formatted_dates_are_parsed() {
        for time in [0.0, TIME, 951_782_400.0, 253_402_300_799.0] {
            assert_eq!(parse(&format(time).unwrap()), Some(time));
        }
        for time in [-1.0, f64::NAN, f64::INFINITY, 253_402_300_800.0] {
            assert_eq!(format(time), None);
        }
    }
}
