//! Words of others, made fit for messages.

use std::error::Error;

/// Longest stretch of outside words repeated in an error.
const WORDS_KEPT: usize = 200;

/// An error and its causes in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.ends_with(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = error.source();
    }
    tidy(&words)
}

/// Outside words made fit for a terminal: no control characters, not long.
pub fn tidy(words: &str) -> String {
    let mut tidy: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_KEPT).collect();
    tidy.truncate(tidy.trim_end().len());
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_words_are_made_harmless() {
        assert_eq!(tidy("a\x1b[31m\nb\n"), "a [31m b");
        assert_eq!(tidy(&"é".repeat(500)).chars().count(), WORDS_KEPT);
    }
}
