//! UTC time stamps for folder names, such as `20261122T061530Z`. No time zones, no leap seconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in UTC.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    of_unix_seconds(since.as_secs())
}

fn of_unix_seconds(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Year, month and day of the Gregorian calendar, of days since 1970-01-01. Counts in years that begin
/// on 1 March, so that the leap day is the last (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(of_unix_seconds(0), "19700101T000000Z");
        assert_eq!(of_unix_seconds(951_827_696), "20000229T123456Z");
        assert_eq!(of_unix_seconds(1_704_067_199), "20231231T235959Z");
        assert_eq!(of_unix_seconds(4_107_542_400), "21000301T000000Z");
    }
}
