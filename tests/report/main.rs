//! Reports of a sample run: names and order of fields and columns, equal bytes, labels, and the page in a browser.

mod page;
mod sample;
