//! The table of stages.

use crate::body::SIZES;
use crate::stage::Stage;
use crate::{acknowledge, decode, encode, judge, pipeline, twin, whole};

/// Every stage, in the order of the way.
pub const STAGES: [Stage; 16] = [
    Stage { name: "decode", title: "decode a publish", messages: 10_000, prepare: decode::prepare },
    Stage {
        name: "judge_140_hit",
        title: "parse and decide, 140 B, an alert",
        messages: 4_000,
        prepare: || judge::hit(SIZES[0]),
    },
    Stage {
        name: "judge_140_miss",
        title: "parse and decide, 140 B, no alert",
        messages: 4_000,
        prepare: || judge::miss(SIZES[0]),
    },
    Stage {
        name: "judge_140_malformed",
        title: "parse and decide, 140 B, malformed at its end",
        messages: 2_000,
        prepare: || judge::malformed(SIZES[0]),
    },
    Stage {
        name: "judge_1k_hit",
        title: "parse and decide, 1 KB, an alert",
        messages: 1_000,
        prepare: || judge::hit(SIZES[1]),
    },
    Stage {
        name: "judge_1k_miss",
        title: "parse and decide, 1 KB, no alert",
        messages: 1_000,
        prepare: || judge::miss(SIZES[1]),
    },
    Stage {
        name: "judge_1k_malformed",
        title: "parse and decide, 1 KB, malformed at its end",
        messages: 400,
        prepare: || judge::malformed(SIZES[1]),
    },
    Stage {
        name: "judge_8k_hit",
        title: "parse and decide, 8 KB, an alert",
        messages: 200,
        prepare: || judge::hit(SIZES[2]),
    },
    Stage {
        name: "judge_8k_miss",
        title: "parse and decide, 8 KB, no alert",
        messages: 200,
        prepare: || judge::miss(SIZES[2]),
    },
    Stage {
        name: "judge_8k_malformed",
        title: "parse and decide, 8 KB, malformed at its end",
        messages: 80,
        prepare: || judge::malformed(SIZES[2]),
    },
    Stage {
        name: "encode_alert",
        title: "topic and publish of an alert",
        messages: 4_000,
        prepare: encode::prepare,
    },
    Stage {
        name: "acknowledge",
        title: "from receipt to PUBACK",
        messages: 10_000,
        prepare: acknowledge::prepare,
    },
    Stage {
        name: "twin_patch",
        title: "twin patch to threshold and report",
        messages: 400,
        prepare: twin::prepare,
    },
    Stage {
        name: "core",
        title: "decode, judge, acknowledge, encode; QoS 1, one alert in ten",
        messages: 4_000,
        prepare: whole::prepare,
    },
    Stage {
        name: "pipeline",
        title: "the whole module but sockets, one alert in ten",
        messages: 2_000,
        prepare: || pipeline::prepare(10),
    },
    Stage {
        name: "pipeline_alerts",
        title: "the whole module but sockets, all alerts",
        messages: 2_000,
        prepare: || pipeline::prepare(1),
    },
];
