//! The same tests for every store.

#![allow(clippy::unwrap_used, clippy::float_cmp)]

#[cfg(feature = "sqlite")]
mod fallback;
#[cfg(feature = "sqlite")]
#[path = "../harness/faulty_store.rs"]
mod faulty_store;
mod filters;
mod leases_and_limits;
mod lookup;
#[cfg(feature = "sqlite")]
mod opening;
#[cfg(feature = "sqlite")]
#[path = "../harness/pair.rs"]
mod pair;
#[cfg(feature = "sqlite")]
mod readonly;
mod records;
#[cfg(feature = "redis")]
#[path = "../harness/redis_server.rs"]
mod redis_server;
mod samples;
mod scan;
#[path = "../harness/services.rs"]
mod services;
#[cfg(feature = "sqlite")]
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
            writing::a_stored_response_is_found_with_its_body
            writing::newest_comes_first
            writing::nothing_is_visible_before_the_commit
            writing::a_dropped_writer_leaves_nothing
            writing::an_empty_body_is_a_body
            writing::a_large_body_round_trips
            writing::an_entry_stored_again_replaces_the_old_one
            writing::a_deleted_response_has_no_body
            writing::removal_deletes_every_key_of_an_entry
            writing::removal_spares_bodies_with_an_entry
            writing::responses_under_one_key_are_removed_apart
            writing::expire_sets_the_ttl
            writing::what_is_as_planned_is_removed_once
            writing::what_was_replaced_since_the_plan_stays
            writing::a_renewed_response_is_still_as_planned
            writing::a_selection_by_ttl_spares_what_was_renewed
            writing::an_extension_adds_to_what_is_left_then
            writing::expire_shortens_no_other_response
            writing::results_can_be_persisted
            writing::http_entries_can_be_persisted_or_are_unsupported
            writing::update_head_keeps_body_and_ttl
            writing::update_head_of_a_missing_entry_returns_false
            writing::an_expired_response_is_a_miss
            writing::results_are_stored_and_overwritten
            writing::an_expired_result_is_a_miss
            writing::a_response_requested_before_an_invalidation_is_refused
            writing::what_began_before_a_flush_is_refused
            records::saved_entries_come_back_as_they_were
            records::a_restored_response_is_found
            records::what_was_stored_anew_is_kept
            records::responses_under_one_key_come_back_together
            records::what_would_have_expired_stays_away
            records::an_orphan_comes_back
            records::a_half_removed_response_comes_back
            lookup::a_lookup_returns_id_expiry_and_body
            lookup::a_lookup_renews_only_the_newest
            lookup::a_renewal_to_less_shortens_no_other
            lookup::an_entry_with_its_own_ttl_is_not_renewed
            streaming::a_large_body_is_streamed_in_bounded_chunks
            streaming::a_body_removed_while_it_is_read_is_whole_or_an_error
            streaming::a_body_stored_again_while_it_is_read_is_not_mixed
            streaming::a_dropped_writer_of_a_large_body_leaves_nothing
            streaming::a_large_body_of_a_killed_writer_is_never_found
            streaming::two_writers_at_once_do_not_mix
            leases_and_limits::a_lease_has_one_owner
            leases_and_limits::of_concurrent_acquires_one_succeeds
            leases_and_limits::a_lease_expires_unless_extended
            leases_and_limits::an_uncacheable_lease_stays_so_for_its_time
            leases_and_limits::stats_of_two_processes_add_up
            leases_and_limits::a_delta_is_added_once
            leases_and_limits::stats_are_kept_for_seven_days
            leases_and_limits::a_damaged_counter_affects_no_other
            leases_and_limits::stats_are_not_listed_as_entries
            leases_and_limits::slots_respect_every_quota
            leases_and_limits::slots_are_acquired_one_by_one
            leases_and_limits::a_slot_beyond_the_maximum_wait_is_not_taken
            leases_and_limits::a_blocked_rate_limit_has_no_slot
            leases_and_limits::rate_limits_are_not_listed_as_entries
            scan::pages_hold_every_entry_once
            scan::removals_between_pages_skip_no_entry
            #[cfg(feature = "sqlite")] scan::a_cursor_of_another_store_expires
            scan::keys_may_hold_anything
            scan::details_match_the_summary_in_the_list
            scan::an_empty_store_lists_nothing
            scan::private_data_of_programs_is_not_listed
            filters::filters_choose_the_same_everywhere
        }
    };
}

macro_rules! tests {
    ($store:ident $($(#[$gate:meta])? $theme:ident::$promise:ident)*) => { $(
        $(#[$gate])?
        #[tokio::test(flavor = "multi_thread")]
        async fn $promise() {
            crate::$theme::$promise(crate::stores::$store().await).await;
        }
    )* };
}

keeps_its_promises! { memory }

#[cfg(feature = "sqlite")]
keeps_its_promises! { sqlite1 sqlite2 fallback_with_its_first fallback_with_its_second }

#[cfg(feature = "redis")]
keeps_its_promises! { redis_pipeline redis_hishel1 redis_hishel2 redis_resp3 redis_step_by_step }
