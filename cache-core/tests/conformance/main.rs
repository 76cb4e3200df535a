//! One promise, kept by every store: the same tests on each of them.

#![allow(clippy::unwrap_used, clippy::float_cmp)]

mod fallback;
#[path = "../harness/faulty_store.rs"]
mod faulty_store;
mod filters;
mod leases_and_limits;
mod lookup;
mod opening;
mod readonly;
#[path = "../harness/redis_server.rs"]
mod redis_server;
mod samples;
mod scan;
mod sqlite_sweep;
mod stores;
mod streaming;
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
            lookup::a_look_up_tells_id_expiry_and_body
            lookup::a_look_up_renews_the_newest_and_only_it
            lookup::a_renewal_to_less_shortens_no_other
            lookup::a_ttl_of_its_own_is_not_renewed
            streaming::a_large_body_comes_whole_in_bounded_pieces
            streaming::a_body_removed_while_it_is_read_is_whole_or_an_error
            streaming::a_body_stored_again_while_it_is_read_is_not_mixed
            streaming::a_large_body_dropped_half_written_leaves_nothing
            streaming::a_large_body_whose_writer_was_killed_is_never_found
            streaming::two_writers_at_once_do_not_mix
            leases_and_limits::a_claim_has_one_holder
            leases_and_limits::of_many_claims_at_once_one_is_granted
            leases_and_limits::a_claim_ends_when_it_is_not_renewed
            leases_and_limits::who_is_told_not_to_wait_is_told_so_for_a_while
            leases_and_limits::counters_of_two_writers_add_up
            leases_and_limits::a_batch_counts_once
            leases_and_limits::counters_are_kept_for_seven_days
            leases_and_limits::a_damaged_counter_costs_no_other
            leases_and_limits::counters_are_no_entries
            leases_and_limits::turns_keep_to_every_quota
            leases_and_limits::turns_are_given_out_one_by_one
            leases_and_limits::a_turn_that_is_too_far_off_is_not_taken
            leases_and_limits::who_is_held_back_has_no_turn
            leases_and_limits::turns_are_no_entries
            scan::pages_joined_are_everything_once
            scan::removing_between_pages_leaves_nothing_out
            scan::a_cursor_of_another_store_expires
            scan::keys_may_hold_anything
            scan::one_entry_looks_as_in_the_list
            scan::an_empty_store_lists_nothing
            scan::what_programs_keep_for_themselves_is_no_entry
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
