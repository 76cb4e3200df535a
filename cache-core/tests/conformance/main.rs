//! One promise, kept by every store: the same tests on each of them.

#![allow(clippy::unwrap_used, clippy::float_cmp)]

mod fallback;
#[path = "../harness/faulty_store.rs"]
mod faulty_store;
mod filters;
mod listing;
mod opening;
mod readonly;
#[path = "../harness/redis_server.rs"]
mod redis_server;
mod refreshing;
mod samples;
mod sharing;
mod stores;
mod streaming;
mod sweeping;
mod writing;

/// The whole suite for one constructor of [`stores`].
macro_rules! keeps_its_promises {
    ($($store:ident)*) => { $(mod $store { all_promises!($store); })* };
}

macro_rules! all_promises {
    ($store:ident) => {
        tests! { $store
            writing::a_response_is_found_with_its_body
            writing::newest_comes_first
            writing::nothing_is_visible_before_the_commit
            writing::a_dropped_writer_leaves_nothing
            writing::an_empty_body_is_a_body
            writing::a_large_body_comes_back_whole
            writing::an_entry_stored_again_replaces_the_old_one
            writing::a_deleted_response_has_no_body
            writing::removing_takes_the_whole_entry
            writing::removing_spares_what_has_got_an_owner
            writing::responses_under_one_key_are_removed_apart
            writing::touching_changes_the_time_to_live
            writing::touching_one_response_shortens_no_other
            writing::results_can_be_kept_for_ever
            writing::http_entries_can_be_kept_for_ever_or_it_says_why_not
            writing::replacing_keeps_body_and_time_to_live
            writing::replacing_what_is_gone_says_so
            writing::an_expired_response_is_a_miss
            writing::results_are_stored_and_overwritten
            writing::an_expired_result_is_a_miss
            refreshing::a_look_up_tells_id_expiry_and_body
            refreshing::a_look_up_renews_the_newest_and_only_it
            refreshing::a_renewal_to_less_shortens_no_other
            refreshing::a_ttl_of_its_own_is_not_renewed
            streaming::a_large_body_comes_whole_in_bounded_pieces
            streaming::a_body_removed_while_it_is_read_is_whole_or_an_error
            streaming::a_body_stored_again_while_it_is_read_is_not_mixed
            streaming::a_large_body_dropped_half_written_leaves_nothing
            streaming::a_large_body_whose_writer_was_killed_is_never_found
            streaming::two_writers_at_once_do_not_mix
            sharing::a_claim_has_one_holder
            sharing::of_many_claims_at_once_one_is_granted
            sharing::a_claim_ends_when_it_is_not_renewed
            sharing::who_is_told_not_to_wait_is_told_so_for_a_while
            sharing::counters_of_two_writers_add_up
            sharing::a_batch_counts_once
            sharing::counters_are_kept_for_seven_days
            sharing::a_damaged_counter_costs_no_other
            sharing::counters_are_no_entries
            sharing::turns_keep_to_every_quota
            sharing::turns_are_given_out_one_by_one
            sharing::a_turn_that_is_too_far_off_is_not_taken
            sharing::who_is_held_back_has_no_turn
            sharing::turns_are_no_entries
            listing::pages_joined_are_everything_once
            listing::removing_between_pages_leaves_nothing_out
            listing::a_cursor_of_another_store_expires
            listing::keys_may_hold_anything
            listing::one_entry_looks_as_in_the_list
            listing::an_empty_store_lists_nothing
            listing::what_programs_keep_for_themselves_is_no_entry
            filters::filters_choose_the_same_everywhere
        }
    };
}

macro_rules! tests {
    ($store:ident $($theme:ident::$promise:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $promise() {
            crate::$theme::$promise(crate::stores::$store().await).await;
        }
    )* };
}

keeps_its_promises! {
    memory sqlite1 sqlite2 redis_pipeline redis_hishel1 redis_hishel2 redis_step_by_step
    fallback_with_its_first fallback_with_its_second
}
