//! Rows as people read them.

use super::{Check, State};
use crate::cli::{Align, Table};

/// Widths of the two columns of words, in characters.
const FOUND_WIDTH: usize = 54;
const ADVICE_WIDTH: usize = 42;

/// All rows, long words on several lines.
pub(in crate::cli) fn table(checks: &[Check]) -> Table {
    rows_table(checks.iter().map(row))
}

/// Rows that somebody should know of, a line each.
pub(in crate::cli) fn lines(checks: &[Check]) -> String {
    let worth = checks.iter().filter(|check| matches!(check.state, State::Warn | State::Fails));
    worth.map(row).map(row_line).collect()
}

fn row(check: &Check) -> [&str; 4] {
    [&check.check, check.state.as_str(), &check.found, &check.advice]
}

/// A table of what was checked, how it is, what was found and what to do.
pub(in crate::cli) fn rows_table<'a>(rows: impl Iterator<Item = [&'a str; 4]>) -> Table {
    let mut table = Table::new([
        ("check", Align::Left),
        ("state", Align::Left),
        ("what was found", Align::Left),
        ("what to do", Align::Left),
    ]);
    for [check, state, found, advice] in rows {
        let (found, advice) = (wrapped(found, FOUND_WIDTH), wrapped(advice, ADVICE_WIDTH));
        for line in 0..found.len().max(advice.len()) {
            let of = |cell: &str| if line == 0 { cell.to_owned() } else { String::new() };
            let part = |lines: &[String]| lines.get(line).cloned().unwrap_or_default();
            table.row([of(check), of(state), part(&found), part(&advice)]);
        }
    }
    table
}

/// The same of one row, in a line.
pub(in crate::cli) fn row_line([check, state, found, advice]: [&str; 4]) -> String {
    let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
    format!("{check} {state}: {found}{advice}\n")
}

/// A text in lines of a width, broken at spaces; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("Invariant: there is a line from the beginning");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_stand_on_several_lines() {
        let text = "one two three";
        assert_eq!(wrapped(text, 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("sqlite:/a/long/path is", 7), ["sqlite:/a/long/path", "is"]);
        let check = Check::new("s3", State::NotSetUp, "word ".repeat(20).trim()).advising("do");
        assert_eq!(
            table(&[check]).to_string(),
            "\
check  state       what was found                                          what to do
s3     not set up  word word word word word word word word word word word  do
                   word word word word word word word word word
"
        );
    }

    #[test]
    fn in_short_only_what_should_be_known_is_said() {
        let checks = [
            Check::new("a", State::Ok, "fine"),
            Check::new("b", State::Fails, "broken").advising("mend it"),
            Check::new("c", State::Warn, "odd"),
        ];
        assert_eq!(lines(&checks), "b fails: broken; mend it\nc warn: odd\n");
    }
}
