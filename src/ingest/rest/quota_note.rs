//! What is spent of the quota, as a note beside the store.

use std::error::Error;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::SharedText;
use crate::store::Notes;

/// The name of the note.
const NAME: &str = "rest quota";

/// The note that processes which share a database share their quota by.
#[derive(Debug)]
pub struct QuotaNote<N>(pub N);

impl<N: Notes> SharedText for QuotaNote<N> {
    fn change<'a>(
        &'a mut self,
        change: &'a mut (dyn FnMut(Option<&str>) -> String + Send),
    ) -> BoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>> {
        async { Ok(self.0.change_note(NAME, |text| (Some(change(text)), ())).await?) }.boxed()
    }
}
