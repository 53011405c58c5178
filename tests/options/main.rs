//! Option chains: Black and Scholes against an independent library, and what is made of contracts against plain reckoning.

mod chain;
mod oracle;
