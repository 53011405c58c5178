//! The words of a message. What others wrote is quoted in them, so nothing in it may act: no line break in a line, nothing
//! that turns the direction of the text.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::situation::{Decision, Event, Situation};

/// Longest subject, in characters.
const SUBJECT: usize = 120;
/// Longest line that is quoted.
const LINE: usize = 400;
/// Longest text.
const TEXT: usize = 8000;

/// What stands where something was left out.
const CUT: &str = "… (cut)";

/// Subject and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) text: String,
}

/// The words for a decision.
pub(super) fn words(decision: &Decision, now: &Situation, host: Option<&str>, at: Timestamp) -> Words {
    let source = line(&now.source);
    let since = decision.trouble_since;
    let lasts = lasting(since, at);
    let problem = now.problem.as_ref();
    let headline = problem.map_or_else(String::new, |problem| line(&problem.headline));
    let (subject, first) = match decision.event {
        Event::Failure => (format!("{source}: {headline}"), format!("{source} has a problem: {headline}.")),
        Event::Reminder => {
            (format!("{source}, for {lasts} now: {headline}"), format!("{source} still has a problem: {headline}."))
        }
        Event::Recovery => (format!("{source} works again"), format!("{source} works again: {}.", line(&now.summary))),
        Event::Test => {
            (format!("{source}: a test"), "This is a test: messages about problems would arrive here.".to_owned())
        }
    };
    let mut text = first;
    for detail in problem.into_iter().flat_map(|problem| &problem.details).flat_map(|detail| detail.lines()) {
        text.push('\n');
        text.push_str(&line(detail));
    }
    let last = match decision.event {
        Event::Failure | Event::Reminder => format!(
            "Since {}. You hear of it again when it becomes another problem, lasts for seven days more, or is over.\n",
            minute(since)
        ),
        Event::Recovery => format!("The trouble began {} and lasted {lasts}.\n", minute(since)),
        Event::Test => String::new(),
    };
    let sender = host.map_or_else(String::new, |host| format!(" on {}", line(host)));
    // Whatever is cut off, who says so and when stays.
    let footer = format!("\n\n{last}barkeep{sender}, {}", minute(at));
    let mut text = cut(&text, TEXT - footer.chars().count(), |_| 1);
    let _ = write!(text, "{footer}");
    Words { subject: cut(&format!("[barkeep] {subject}"), SUBJECT, |_| 1), text }
}

/// Words of others as a part of one line.
pub(super) fn line(words: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let harmless: String = words.chars().map(|c| if acts(c) { ' ' } else { c }).collect();
    let one_spaced = harmless.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    cut(&one_spaced, LINE, |_| 1)
}

/// A text that is not longer than it may be, counted in whatever a channel counts in, with a mark where it was cut.
pub(super) fn cut(text: &str, most: usize, size: fn(char) -> usize) -> String {
    let long = |text: &str| text.chars().map(size).sum::<usize>();
    if long(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(long(CUT));
    let fits = |c: &char| {
        let fits = size(*c) <= left;
        left = left.saturating_sub(size(*c));
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}{CUT}")
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// How long, for people.
fn lasting(since: Timestamp, until: Timestamp) -> String {
    let minutes = until.duration_since(since).as_mins().max(0);
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h {} min", minutes % 60),
        (1, hours) => format!("1 day {hours} h"),
        (days, 0) => format!("{days} days"),
        (days, hours) => format!("{days} days {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Problem;
    use crate::notify::situation::decide;
    use crate::store::Condition;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn situation(problem: Option<(&str, &[&str])>) -> Situation {
        let problem = problem.map(|(headline, details)| Problem {
            essence: vec!["x".to_owned()],
            headline: headline.to_owned(),
            details: details.iter().map(|&line| line.to_owned()).collect(),
        });
        Situation { source: "nightly".to_owned(), problem, summary: "5 days loaded".to_owned() }
    }

    fn told(last: Option<&Condition>, now: &Situation, time: &str) -> (Words, Condition) {
        let decision = decide(last, now, at(time)).unwrap();
        (words(&decision, now, Some("app-1"), at(time)), decision.after)
    }

    #[test]
    fn trouble_is_told_with_its_details_its_beginning_and_its_end() {
        let broken =
            situation(Some(("no file of stocks for 2026-10-05", &["The vendor has not published it by 11:30."])));
        let (failure, condition) = told(None, &broken, "2026-10-06T15:30:59Z");
        assert_eq!(failure.subject, "[barkeep] nightly: no file of stocks for 2026-10-05");
        assert_eq!(
            failure.text,
            "nightly has a problem: no file of stocks for 2026-10-05.\n\
             The vendor has not published it by 11:30.\n\n\
             Since 2026-10-06 15:30 UTC. You hear of it again when it becomes another problem, lasts for seven days more, or \
             is over.\n\
             barkeep on app-1, 2026-10-06 15:30 UTC"
        );
        let (reminder, condition) = told(Some(&condition), &broken, "2026-10-13T17:31:00Z");
        assert_eq!(reminder.subject, "[barkeep] nightly, for 7 days 2 h now: no file of stocks for 2026-10-05");
        assert!(reminder.text.starts_with("nightly still has a problem: no file"), "{}", reminder.text);
        let (recovery, _) = told(Some(&condition), &situation(None), "2026-10-14T15:31:00Z");
        assert_eq!(recovery.subject, "[barkeep] nightly works again");
        assert_eq!(
            recovery.text,
            "nightly works again: 5 days loaded.\n\n\
             The trouble began 2026-10-06 15:30 UTC and lasted 8 days.\n\
             barkeep on app-1, 2026-10-14 15:31 UTC"
        );
    }

    #[test]
    fn what_is_quoted_stays_in_its_line() {
        let nasty = "a\r\nBcc: everyone@b.example\u{202e}\u{2028}x\u{1b}[31m";
        let (words, _) = told(None, &situation(Some((nasty, &["one\r\ntwo\u{85}three"]))), "2026-10-06T15:30:00Z");
        assert_eq!(words.subject, "[barkeep] nightly: a Bcc: everyone@b.example x [31m");
        assert!(words.text.contains(".\none\ntwo three\n\n"), "{:?}", words.text);
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_mark_but_for_its_end() {
        let long = "é".repeat(20_000);
        let lines: Vec<&str> = vec![&long; 50];
        let (words, _) = told(None, &situation(Some((&long, &lines))), "2026-10-06T15:30:00Z");
        assert_eq!(words.subject.chars().count(), SUBJECT);
        assert!(words.subject.ends_with("é… (cut)"));
        assert_eq!(words.text.chars().count(), TEXT);
        assert!(words.text.ends_with("barkeep on app-1, 2026-10-06 15:30 UTC"), "{}", words.text);
        assert!(words.text.contains(CUT));
        assert_eq!(cut("a😀b😀", 9, char::len_utf16), "a😀b😀");
        assert_eq!(cut("😀😀😀😀😀", 9, char::len_utf16), "😀… (cut)");
    }

    #[test]
    fn times_are_told_in_words() {
        for (minutes, words) in [
            (-5, "0 min"),
            (59, "59 min"),
            (61, "1 h 1 min"),
            (24 * 60 + 59, "1 day 0 h"),
            (49 * 60, "2 days 1 h"),
            (72 * 60, "3 days"),
        ] {
            let since = at("2026-10-06T15:30:00Z");
            assert_eq!(lasting(since, since + jiff::SignedDuration::from_mins(minutes)), words);
        }
    }
}
