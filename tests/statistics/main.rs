//! Statistics of trades and of equity: against other people's implementations, against cases worked out by hand, and what
//! must hold of any trades.

mod by_hand;
mod oracle;
mod portfolio;
mod properties;
mod sample;
