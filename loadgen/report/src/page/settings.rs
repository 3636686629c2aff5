//! What was asked, and where: in words.

use std::time::Duration;

use maud::{Markup, html};

use crate::text;
use loadgen_load::machine::Machine;
use loadgen_load::outcome::{Document, Finding};
use loadgen_load::settings::{
    Arrivals, Disturbances, Pace, Profile, RunSettings, Target, TrafficSettings,
};

/// Settings and machine of a file.
pub(super) fn table(document: &Document) -> Markup {
    html! {
        @if let Some(rows) = rows(&document.result) {
            h3 { "Settings" }
            dl.facts { (rows) }
        }
        h3 { "Machine" }
        dl.facts { (machine(&document.machine)) }
        p.muted { "Began " (document.began) ", loadgen " (document.loadgen) "." }
    }
}

fn rows(result: &Finding) -> Option<Markup> {
    let (settings, command, pace) = match result {
        Finding::Run(of) => (&of.settings, true, pace(&of.settings.pace, true)),
        // The rate is what is looked for.
        Finding::Capacity(of) => (&of.settings, true, pace(&of.settings.pace, false)),
        // The programs are told with their figures.
        Finding::Compare(of) => (&of.settings, false, pace(&of.settings.pace, true)),
        Finding::Soak(of) => (&of.run.settings, true, pace(&of.run.settings.pace, true)),
        Finding::Calibrate(_) => return None,
    };
    let built = match result {
        Finding::Run(outcome) => Some(&outcome.traffic),
        Finding::Soak(soak) => Some(&soak.run.traffic),
        _ => None,
    };
    Some(html! {
        (target(&settings.target, command))
        dt { "traffic" } dd { (traffic(&settings.traffic)) }
        @if let Some(built) = built {
            dt { "built ahead" }
            dd {
                (text::count(built.messages)) " messages, " (text::count(built.alerts)) " alerts, "
                @if let Some(gaps) = built.gaps_text() { (gaps) ", " }
                (text::number(built.body_bytes_mean)) " bytes on the average, fingerprint "
                code { (built.fingerprint) }
            }
        }
        dt { "threshold" } dd { (text::short(settings.traffic.threshold)) }
        dt { "pace" } dd { (pace) }
        (times(settings))
        @if let Finding::Soak(soak) = result { (disturbances(&soak.disturbances)) }
    })
}

fn disturbances(asked: &Disturbances) -> Markup {
    let seconds = |time: Duration| text::seconds(time.as_secs_f64());
    let kinds: Vec<&str> = asked.faults.iter().map(|kind| kind.name()).collect();
    html! {
        dt { "faults" }
        dd {
            @if kinds.is_empty() { "none" }
            @else { "every " (seconds(asked.fault_every)) ": " (kinds.join(", ")) }
        }
        @if let Some(every) = asked.patch_every {
            dt { "threshold changed" } dd { "every " (seconds(every)) }
        }
        @if let Some(every) = asked.renew_every {
            dt { "token renewed" } dd { "every " (seconds(every)) }
        }
    }
}

fn times(settings: &RunSettings) -> Markup {
    let seconds = |time: Duration| text::seconds(time.as_secs_f64());
    html! {
        dt { "window" } dd { (text::count(settings.window.into())) " messages in flight" }
        dt { "time" }
        dd {
            (seconds(settings.duration)) " measured after " (seconds(settings.warm_up))
            " of warm-up; at most " (seconds(settings.drain)) " of drain"
        }
        dt { "verified" }
        dd { @if settings.verify_properties { "bodies, order and properties" } @else { "bodies and \
            order" } }
        @if let Some(every) = settings.cut_every {
            dt { "connection cut" } dd { "every " (seconds(every)) }
        }
    }
}

fn target(target: &Target, with_command: bool) -> Markup {
    match target {
        Target::Hub { listen, plain, command } => html! {
            @if with_command { dt { "program" } dd { (command_line(command)) } }
            dt { "connection" }
            dd { "to " (listen) @if *plain { ", plain TCP" } @else { ", TLS" } }
        },
        Target::Broker { url, connections, topic, alerts_topic, .. } => html! {
            dt { "broker" }
            dd { (url) ", " (text::count((*connections).into())) " connections" }
            dt { "topics" } dd { code { (topic) } ", alerts on " code { (alerts_topic) } }
        },
    }
}

/// A command as it was started: arguments with spaces or signs of the shell in quotes.
pub(super) fn command_line(command: &[String]) -> Markup {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    let quoted = command.iter().map(|argument| {
        if !argument.is_empty() && argument.chars().all(plain) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    });
    html! { code.command { (quoted.collect::<Vec<_>>().join(" ")) } }
}

fn traffic(traffic: &TrafficSettings) -> String {
    let source = match &traffic.profile {
        Profile::Simulated => {
            format!("simulated temperatures, {} of them alerts", text::percent(traffic.alerts))
        }
        Profile::Replay { file, time_column, value_column, .. } => {
            format!("{} replayed, columns {time_column} and {value_column}", file.display())
        }
        Profile::Hostile => "hostile bodies among good ones".to_owned(),
    };
    let size = traffic
        .size
        .map_or(String::new(), |size| format!(", {} bytes each", text::count(size as u64)));
    format!(
        "{source}{size}, from {} sensors, QoS {}, seed {}",
        text::count(traffic.sensors.into()),
        traffic.qos,
        traffic.seed,
    )
}

fn pace(pace: &Pace, with_rate: bool) -> String {
    let Pace::Open { rate, arrivals, burst } = pace else {
        return "closed loop: as fast as the window allows".to_owned();
    };
    let spread = match arrivals {
        Arrivals::Fixed => "at equal distances",
        Arrivals::Poisson => "at random (Poisson)",
    };
    let burst = burst.map(|burst| {
        let [on, period] = [burst.on, burst.period].map(|time| text::seconds(time.as_secs_f64()));
        format!(", in bursts of {on} every {period}")
    });
    let rate = if with_rate { format!("{} ", text::rate(*rate)) } else { String::new() };
    format!("open loop, {rate}{spread}{}", burst.unwrap_or_default())
}

fn machine(machine: &Machine) -> Markup {
    let known = |text: &str| if text.is_empty() { text::NONE.to_owned() } else { text.to_owned() };
    html! {
        dt { "processor" }
        dd { (known(&machine.processor)) ", " (text::count(machine.cores)) " cores" }
        dt { "memory" } dd { (text::kib(machine.memory_kib)) }
        dt { "system" } dd { (known(&machine.system)) ", " (known(&machine.architecture)) }
        dt { "load before" }
        dd { (format!("{:.2}", text::float(machine.load_percent) / 100.0)) " in the last minute" }
    }
}
