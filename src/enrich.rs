//! Test enrichments: one anime's data from all seven services, through the cache, cold and then warm.
//!
//! A [`source::Source`] knows one service: which requests, in which order, and what to keep of the answers. It asks
//! through its [`way::Way`], which is where the cache, the limits of the service and the meter are. [`run`] sends all
//! sources off at once, twice, and compares what they bring.

pub mod anime;
pub mod browser;
pub mod catalogue;
pub mod history;
pub mod meter;
pub mod network;
pub mod problem;
pub mod report;
pub mod run;
pub mod source;
pub mod way;

mod anidb;
mod anilist;
mod anime_planet;
mod animeschedule;
mod anisearch;
mod answer;
mod breaker;
mod compare;
mod html;
mod jikan;
mod kitsu;
mod limits;
mod page;
mod redirect;
mod request;
mod retry;
