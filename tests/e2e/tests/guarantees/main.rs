//! One guarantee of the system per module, through the function binaries on the local cloud. One
//! executable, because each further one takes seconds to compile and link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod a_failed_creation_leaves_nothing;
mod a_forged_token_is_refused;
mod a_killed_consumer_is_replaced;
mod a_lost_event_is_sent_again;
mod a_processor_of_ones_own;
mod a_processor_that_fails;
mod a_repeated_request;
mod a_restart_keeps_sessions_without_streams;
mod a_role_that_lacks_an_action;
mod a_route_is_throttled;
mod a_session_is_changed_while_it_runs;
mod a_session_outlives_its_consumers;
mod a_worker_has_its_role;
mod an_event_does_not_choose_the_stream;
mod an_event_that_names_only_its_channel;
mod an_interrupted_run_ends_its_session;
mod an_open_fragment_is_delivered;
mod an_unreadable_client_context;
mod events_of_other_environments;
mod get_media_is_interrupted;
mod invalid_events_are_dead_lettered;
mod listeners_are_notified;
mod logs_contain_no_request_data;
mod one_session_arrives_whole;
mod orphaned_resources_are_removed;
mod requests_are_refused_with_reasons;
mod resources_of_an_ended_session_are_removed;
mod sessions_in_instances;
mod sessions_in_workers;
mod sessions_move_between_hosts;
mod sessions_outlive_their_workers;
mod streams_are_encrypted_with_the_key;
mod the_api_behind_a_stage_and_a_base_path;
mod the_canary_tests_the_whole_path;
mod the_end_loses_no_audio;
mod the_guide_runs_as_printed;
mod the_health_check_can_be_interrupted;
mod the_health_check_keeps_its_rules;
mod the_view_can_be_private;
mod traces_join;
mod warm_pairs;
