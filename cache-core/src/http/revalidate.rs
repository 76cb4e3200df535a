//! Revalidation in the background (RFC 5861, 3: `stale-while-revalidate`).

use std::sync::Arc;

use crate::clock;
use crate::http::context::Context;
use crate::http::forward::{Known, forward};
use crate::http::lookup::look_up;
use crate::http::plan::RequestPlan;
use crate::http::recorder::drain;
use crate::http::resumable_body::Refetch;
use crate::policy::decision::{Decision, ServeStored};

/// Validates a response that was served stale, unless another fetch of it is in flight.
pub(crate) async fn revalidate(context: &Arc<Context>, plan: &RequestPlan, refetch: &Arc<dyn Refetch>) {
    let Some(leader) = context.core.single_flight.try_lead(&plan.flight_key(&[])).await else { return };
    let stored = look_up(context, plan).await.into_stored();
    let Decision::ServeStored(ServeStored { refresh: Some(decision), .. }) =
        plan.policy.decide(&plan.request, &stored, clock::now())
    else {
        return leader.complete(true).await;
    };
    let known = Known { stored: &stored, generation: context.generation(&plan.key).await };
    if let Ok(response) = forward(context, plan, known, decision, Some(leader), refetch).await {
        drain(context, response.into_body());
    }
}
