//! What every store must do. A bench of its own and a line at the end of it put another store through all of it.

#[path = "../common/mod.rs"]
mod common;
#[path = "../database/mod.rs"]
mod database;

mod bars;
mod chain;
mod claims;
mod days;
mod defects;
mod fixtures;
mod kills;
mod ledger;
mod market;
mod meeting;
mod notes;
mod outbox;
mod queue;
mod queue_watch;
mod rest;
mod restatements;
mod runs;
mod scan;
mod splits;
mod triggers;
mod watchlist;

use std::future::Future;

use barkeep::store::{
    AnnouncedSessions, Audit, BarReader, BarSink, Claiming, Ledger, MarketReader, Noting, OptionChains, Outbox, Queue,
    QueueWatching, Runs, Splits, SymbolSink, Watchlist,
};

/// A store under test: an empty database that can be opened several times, and read with plain SQL.
trait Bench: Sized + Send + Sync + 'static {
    type Store: Ledger
        + BarSink
        + SymbolSink
        + BarReader
        + MarketReader
        + Audit
        + Claiming
        + Noting
        + Outbox
        + Queue
        + QueueWatching
        + Splits
        + Watchlist
        + OptionChains
        + Runs
        + AnnouncedSessions
        + 'static;

    /// `None`, said aloud, where there is nothing to test with.
    async fn new() -> Option<Self>;

    fn open(&self) -> impl Future<Output = Self::Store> + Send;

    /// Runs statements.
    async fn execute(&self, sql: &str);

    /// Rows of a query that gives two texts and three 64-bit integers.
    async fn counts(&self, sql: &str) -> Vec<(String, String, i64, i64, i64)>;

    /// Rows of a query that gives a 64-bit integer and a double.
    async fn points(&self, sql: &str) -> Vec<(i64, f64)>;
}

macro_rules! tests {
    ($bench:ty, $($subject:ident: $($name:ident)*;)*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(bench) = <$bench as crate::Bench>::new().await else { return };
                crate::$subject::$name(&bench).await;
            }
        )*)*
    };
}

/// All tests, for one bench.
macro_rules! conformance {
    ($bench:ty) => {
        tests! { $bench,
            bars:
                every_value_comes_back_as_it_went_in
                symbols_differ_by_case_and_sort_by_bytes
                series_tell_what_there_is
                bars_are_found_by_symbol_length_and_date
                the_two_queries_of_the_contract_work_as_written
                what_was_stored_is_there_after_reopening;
            chain:
                a_snapshot_comes_back_as_it_went_in
                a_snapshot_replaces_the_one_before_it
                an_attempt_in_vain_leaves_what_is_stored
                a_snapshot_that_cannot_be_written_leaves_nothing
                a_chain_may_be_long
                scans_stay_within_what_is_asked_for
                imports_and_snapshots_stand_beside_each_other;
            claims:
                one_claimant_holds_a_day_until_it_is_released
                a_dead_claimant_loses_its_day_when_its_lease_ends
                a_lease_that_is_renewed_lasts
                days_and_datasets_are_claimed_apart
                eight_claimants_share_fifty_days_out;
            days:
                a_day_is_visible_once_committed
                an_abandoned_day_leaves_nothing
                readers_see_the_old_day_until_the_new_one_is_committed
                a_failed_write_can_be_abandoned
                replacing_removes_what_is_named_and_nothing_else
                replacing_stays_within_its_dataset_and_date
                a_forgotten_day_is_as_if_it_had_never_been_loaded
                forgetting_can_be_abandoned
                coverage_grows_by_what_is_committed
                coverage_and_ledger_say_for_whom_a_day_is_loaded;
            defects:
                what_is_wrong_with_the_books_is_found_and_can_be_repaired
                only_books_that_belong_to_nothing_are_removed;
            ledger:
                states_are_those_of_the_dataset_and_range
                attempts_keep_the_loaded_version
                content_hashes_come_back_as_they_went_in
                a_new_version_with_the_same_content_is_only_remembered
                the_ledger_counts_the_bars_that_are_stored
                load_rates_are_kept_by_scope;
            market:
                what_is_read_at_once_is_what_is_read_one_by_one
                reading_at_once_stays_within_what_is_asked_for;
            meeting:
                a_second_writer_waits_and_sees_what_the_first_did
                a_reader_never_sees_half_a_day;
            notes:
                a_note_is_what_was_made_of_it_last
                who_only_looks_at_a_note_changes_nothing
                changes_at_once_lose_nothing
                who_changes_a_note_does_not_wait_for_who_writes_bars;
            outbox:
                a_change_is_told_once
                a_change_of_another_condition_is_not_told
                who_tells_at_once_tells_once
                messages_of_a_channel_go_in_order
                a_message_waits_for_its_pause
                a_message_of_a_dead_sender_comes_back_and_may_have_arrived
                a_late_sender_changes_nothing
                senders_at_once_claim_each_message_once
                the_outbox_tells_what_waits_and_what_ended;
            queue:
                requests_are_claimed_by_priority_and_age
                equal_requests_are_queued_once
                requests_of_a_symbol_are_claimed_by_one_at_a_time
                many_processors_never_meet_at_a_symbol
                a_dead_processor_loses_its_requests_when_its_lease_ends
                a_lease_that_is_renewed_goes_on
                what_comes_late_changes_nothing
                a_request_that_fails_waits_and_dies_in_the_end
                an_outage_that_lasts_ends_no_request
                a_request_whose_processors_vanish_dies_in_the_end
                only_the_request_that_kills_its_processors_dies
                requests_over_which_processors_vanish_are_claimed_by_fewer_and_fewer
                only_processors_that_are_lost_in_a_row_make_a_request_suspect
                nothing_is_claimed_beside_a_request_that_is_suspected
                what_a_processor_holds_and_does_not_know_of_is_not_tried_in_vain
                tries_that_brought_something_are_not_counted
                what_is_given_back_is_as_it_was
                ends_are_kept_with_outcome_and_message
                nonsense_of_other_programs_is_handed_out_with_the_rest
                the_queue_is_shown_open_ones_first
                depth_counts_what_waits
                failed_requests_are_queued_again
                old_requests_are_removed;
            queue_watch:
                a_watch_wakes_when_a_request_is_added
                what_is_added_between_two_waits_is_not_missed
                a_watch_wakes_when_requests_wait_again
                a_watch_that_hears_nothing_waits_so_long;
            rest:
                days_of_a_symbol_are_stored_with_their_ledger
                what_is_fetched_replaces_what_was_fetched
                a_provisional_day_makes_room_for_what_comes_after
                what_files_have_brought_is_left_alone
                estimates_of_files_make_room_for_exact_vwaps
                a_file_takes_the_place_of_what_was_fetched
                a_page_is_stored_whole_or_not_at_all
                a_page_may_span_months
                attempts_leave_what_was_fetched
                the_state_of_a_symbol_tells_nothing_of_others
                pages_and_files_take_turns
                a_page_that_is_given_up_can_be_abandoned
                defects_know_what_was_fetched;
            restatements:
                a_restated_file_is_held_against_what_it_replaces
                every_value_that_differs_is_a_change
                only_what_was_loaded_before_and_replaced_is_compared
                a_restatement_takes_a_new_version_a_replacement_and_the_file
                an_abandoned_restatement_leaves_no_trace
                restatements_are_told_by_dataset_date_and_time;
            runs:
                runs_come_back_newest_first
                what_is_complete_is_told_by_the_latest_run_that_knows
                announcements_replace_those_of_the_future;
            scan:
                a_scan_goes_by_symbol_timeframe_and_time
                a_scan_stays_within_its_dataset
                a_scan_can_end_early
                a_frozen_store_reads_one_moment;
            splits:
                splits_come_back_as_they_went_in
                splits_are_replaced_by_symbol_or_all_together
                a_failed_replacement_leaves_the_splits_as_they_were
                the_view_computes_what_the_function_computes
                an_announced_split_takes_effect_on_its_day
                splits_that_were_never_loaded_are_no_splits
                price_jumps_are_those_of_stored_day_bars;
            triggers:
                a_symbol_that_is_added_by_its_name_is_queued
                a_symbol_is_queued_again_when_it_comes_back
                a_symbol_is_queued_again_for_more_days
                priorities_of_waiting_requests_follow_the_watchlist
                many_symbols_are_queued_at_once
                our_own_watchlist_queues_too;
            watchlist:
                the_watchlist_is_a_set_of_symbols
                what_is_no_symbol_is_left_out_and_told;
        }
    };
}

mod postgres;
mod sqlite;
