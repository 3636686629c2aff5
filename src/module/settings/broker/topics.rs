//! What is subscribed to, and the topics that stand in for a hub.

use std::fmt;

use super::super::table::{ALERTS_TOPIC, CONTROL_TOPIC, REPORTED_TOPIC, SUBSCRIBE};
use crate::broker::settings::Standalone;
use crate::broker::{AlertsTopic, TopicFilter};
use crate::mqtt::topics::{check_topic, returning};
use crate::settings::layers::Layers;

/// Most filters: one SUBSCRIBE carries them all.
const FILTERS_MAX: usize = 1000;
/// Longest such SUBSCRIBE: what IoT Edge allows of a packet, and more than brokers usually take.
const SUBSCRIBE_BYTES_MAX: usize = 256 * 1024;

/// Longest topic that is shown as an example.
const SHOWN_BYTES_MAX: usize = 200;

/// What to subscribe to, each once.
pub(super) fn filters(layers: &mut Layers) -> Option<Vec<TopicFilter>> {
    let all = layers.list(&SUBSCRIBE, |text| {
        text.parse::<TopicFilter>().map_err(|problem| format!("{text:?} is no filter: {problem}"))
    })?;
    let mut filters = Vec::with_capacity(all.len());
    for filter in all {
        if !filters.contains(&filter) {
            filters.push(filter);
        }
    }
    if filters.len() > FILTERS_MAX {
        let source = layers.source_or_default(&SUBSCRIBE);
        let problem = format!("{source}: more than {FILTERS_MAX} filters: use '+' and '#'");
        layers.problem(problem);
        return None;
    }
    // A packet id; before each filter its length, behind it the QoS (MQTT 3.1.1 §3.8.3).
    let bytes = 2 + filters.iter().map(|filter| 3 + filter.as_str().len()).sum::<usize>();
    if bytes > SUBSCRIBE_BYTES_MAX {
        let source = layers.source_or_default(&SUBSCRIBE);
        let problem = format!(
            "{source}: the filters have {bytes} bytes together, of {SUBSCRIBE_BYTES_MAX} that one \
             SUBSCRIBE may have: use '+' and '#'"
        );
        layers.problem(problem);
        return None;
    }
    Some(filters)
}

/// The topics, unless one of them is bad or comes back through one of `filters`.
pub(super) fn standalone(layers: &mut Layers, filters: &[TopicFilter]) -> Option<Standalone> {
    let alerts = layers.required(&ALERTS_TOPIC, |text| {
        text.parse::<AlertsTopic>().map_err(|problem| no_topic(text, &problem))
    });
    let control = layers.required(&CONTROL_TOPIC, |text| {
        check_topic(text).map_err(|problem| no_topic(text, &problem))?;
        if text.starts_with("$share/") {
            return Err(format!("{text:?} would be shared: each process needs every patch"));
        }
        Ok(text.to_owned())
    });
    let reported = layers.required(&REPORTED_TOPIC, |text| {
        check_topic(text).map_err(|problem| no_topic(text, &problem))?;
        Ok(text.to_owned())
    });
    check_loops(layers, filters, alerts.as_ref(), control.as_deref(), reported.as_deref());
    Some(Standalone { alerts: alerts?, control: control?, reported: reported? })
}

fn no_topic(text: &str, problem: &dyn fmt::Display) -> String {
    format!("{text:?} is no topic: {problem}")
}

/// What is published must not come back: not as a message, and not as a patch. Those who write the
/// control topic publish too.
fn check_loops(
    layers: &mut Layers,
    filters: &[TopicFilter],
    alerts: Option<&AlertsTopic>,
    control: Option<&str>,
    reported: Option<&str>,
) {
    let own: Option<TopicFilter> = control.and_then(|control| control.parse().ok());
    let subscriptions = filters.iter().map(|filter| (&SUBSCRIBE, filter));
    for (subscribed, filter) in subscriptions.chain(own.iter().map(|own| (&CONTROL_TOPIC, own))) {
        let control = control.filter(|_| subscribed.name != CONTROL_TOPIC.name);
        let fixed = [(&CONTROL_TOPIC, control), (&REPORTED_TOPIC, reported)];
        let fixed = fixed.into_iter().filter_map(|(spec, topic)| {
            let topic = topic.filter(|topic| filter.matches(topic))?;
            Some((spec, format!("what is published on {topic:?}")))
        });
        let alerts = alerts.and_then(|alerts| {
            let topic = returning(filters, alerts, filter)?;
            Some((&ALERTS_TOPIC, alert_of(&topic, alerts)))
        });
        for (spec, what) in fixed.chain(alerts) {
            let problem = format!(
                "{}: {what} could come back through {:?} ({}), in a loop: choose another topic or \
                 filter",
                layers.source_or_default(spec),
                filter.as_str(),
                layers.source_or_default(subscribed),
            );
            layers.problem(problem);
        }
    }
}

/// The alert of a message on `topic`, which is as long as the filters make it.
fn alert_of(topic: &str, alerts: &AlertsTopic) -> String {
    let alerts = alerts.to_string();
    match topic.len() {
        0..=SHOWN_BYTES_MAX => format!("the alert to {alerts:?} of a message on {topic:?}"),
        _ => format!("the alert to {alerts:?} of a message"),
    }
}
