//! Facts to stdout, sentences about failures to stderr, and a closed pipe is no panic.

use crate::exit::Exit;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::io::{self, IsTerminal as _, Write as _};

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Colours are welcome on stdout.
    pub(crate) color: bool,
}

impl Style {
    /// Colours only for people: not when refused by option or `NO_COLOR` (no-color.org: set and not
    /// empty), not into pipes.
    pub(crate) fn new(no_color: bool) -> Self {
        let refused = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { color: !refused && io::stdout().is_terminal() }
    }

    /// A verdict's name, in its colour.
    pub(crate) fn verdict(self, name: &str) -> String {
        let code = match name {
            "valid" => 32,
            "unknown" => 33,
            "invalid" => 31,
            _ => return name.to_owned(),
        };
        if self.color { format!("\u{1b}[{code}m{name}\u{1b}[0m") } else { name.to_owned() }
    }
}

/// Prints to stdout. Whoever reads may have left: that is no failure.
///
/// # Errors
/// Anything but a closed pipe.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints a failure's sentence to stderr.
pub(crate) fn error(sentence: &str) {
    // Nothing is left to be told when stderr is gone too.
    let _gone = writeln!(io::stderr().lock(), "error: {sentence}");
}

/// Prints what the user should know besides to stderr.
pub(crate) fn remark(sentence: &str) {
    let _gone = writeln!(io::stderr().lock(), "note: {sentence}");
}

/// Prints a sentence about what goes on to stderr.
pub(crate) fn note(sentence: &str) {
    let _gone = writeln!(io::stderr().lock(), "\n{sentence}");
}

/// Writes a line of progress over the one before; an empty one wipes it. For terminals only.
pub(crate) fn live(line: &str) {
    let mut progress = io::stderr().lock();
    let _gone = write!(progress, "\r\u{1b}[2K{line}").and_then(|()| progress.flush());
}

/// Prints what clap has to say: help to stdout; a mistake as one sentence to stderr.
pub(crate) fn clap(error: &clap::Error) -> Exit {
    let page = error.render();
    let kind = error.kind();
    if matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let colored = Style::new(false).color;
        let text = if colored { page.ansi().to_string() } else { page.to_string() };
        return if print(&text).is_ok() { Exit::Valid } else { Exit::Harness };
    }
    if kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _gone = write!(io::stderr().lock(), "{page}");
    } else {
        self::error(&sentence(error));
    }
    Exit::Usage
}

/// clap explains over several lines; the first is the fact and the suggestion is worth keeping.
fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let fact = text.lines().next().unwrap_or_default();
    let fact = fact.strip_prefix("error: ").unwrap_or(fact).trim_end();
    // "the following required arguments were not provided:" goes on in the next lines.
    let rest: Vec<&str> = match fact.strip_suffix(':') {
        Some(_) => text.lines().skip(1).map(str::trim).take_while(|line| !line.is_empty()).collect(),
        None => Vec::new(),
    };
    let suggestion = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand].into_iter().find_map(
        |kind| match error.get(kind) {
            Some(ContextValue::String(name)) => Some(name.clone()),
            Some(ContextValue::Strings(names)) => names.first().cloned(),
            Some(_) | None => None,
        },
    );
    let mut sentence = fact.to_owned();
    if !rest.is_empty() {
        sentence = format!("{sentence} {}", rest.join(", "));
    }
    let negative = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if error.kind() == ErrorKind::UnknownArgument => {
            word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        }
        Some(_) | None => false,
    };
    if negative {
        return format!("{sentence}: nothing here takes less than 0");
    }
    match suggestion {
        Some(name) => format!("{sentence}: did you mean '{name}'?"),
        None => format!("{sentence} (see --help)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    fn refusal(words: &[&str]) -> String {
        sentence(&Cli::try_parse_from(words).unwrap_err())
    }

    #[test]
    fn mistakes_in_names_of_options_and_commands_are_one_sentence() {
        assert_eq!(
            refusal(&["zabchaos", "test", "--nods", "5"]),
            "unexpected argument '--nods' found: did you mean '--nodes'?"
        );
        assert_eq!(
            refusal(&["zabchaos", "test", "--time-limit", "-1s"]),
            "unexpected argument '-1' found: nothing here takes less than 0"
        );
        assert_eq!(refusal(&["zabchaos", "tset"]), "unrecognized subcommand 'tset': did you mean 'test'?");
        assert_eq!(
            refusal(&["zabchaos", "check"]),
            "the following required arguments were not provided: <RUN|FILE>... (see --help)"
        );
    }
}
