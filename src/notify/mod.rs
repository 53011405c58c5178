//! Messages to people when something that runs by itself fails, goes on failing, or works again: by a webhook, e-mail and
//! Telegram.
//!
//! What is told of a source is a [`Condition`](crate::store::Condition) in the database. [`decide`] compares it with how
//! things are; a change is written together with its messages, which wait in the outbox until [`Notifier::flush`] has sent
//! them. Each message is claimed, with a commit, before a byte of it goes out, so nothing is lost by a crash and no two
//! processes send the same. What no sender can know, whether a message arrived whose answer was lost, is left to the receiver:
//!
//! * webhook: every sending has the same `Idempotency-Key` and the same body, to the byte;
//! * e-mail: every sending has the same `Message-ID` and date;
//! * Telegram knows no such key: a message that may be there already is sent again, and says so in its first line.

mod attempt;
mod email;
mod notifier;
mod post;
mod render;
mod situation;
mod telegram;
mod text;
mod webhook;

pub use notifier::{Flushed, Notifier, Tried};
pub use situation::{Decision, Event, REMINDED_AFTER, Situation, decide};
