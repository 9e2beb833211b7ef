//! Names the user typed: found among the known ones, or refused with the nearest.

use crate::exit::UsageError;

/// The sentence about a name that nobody knows, with the nearest known one if there is a near one.
pub(crate) fn unknown_name(kind: &str, typed: &str, known: &[&str]) -> UsageError {
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .min()
        .filter(|(distance, name)| *distance <= (name.chars().count() / 2).max(1));
    let hint = match nearest {
        Some((_, name)) => format!(": did you mean '{name}'?"),
        None => String::new(),
    };
    UsageError(format!("unknown {kind} '{typed}'{hint} (known: {})", known.join(", ")))
}

/// The one of `all` whose name was typed.
pub(super) fn find<T: Clone + ToString>(kind: &str, typed: &str, all: &[T]) -> Result<T, UsageError> {
    let names: Vec<String> = all.iter().map(T::to_string).collect();
    let place = names.iter().position(|name| name == typed);
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    place.map(|place| all[place].clone()).ok_or_else(|| unknown_name(kind, typed, &known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_near() {
        let known = ["partition", "pause", "kill"];
        assert_eq!(
            unknown_name("nemesis", "partitoin", &known).to_string(),
            "unknown nemesis 'partitoin': did you mean 'partition'? (known: partition, pause, kill)"
        );
        assert_eq!(
            unknown_name("nemesis", "earthquake", &known).to_string(),
            "unknown nemesis 'earthquake' (known: partition, pause, kill)"
        );
    }
}
