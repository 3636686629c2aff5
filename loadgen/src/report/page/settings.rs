//! What was asked, and where: in words.

use maud::{Markup, html};

use crate::load::machine::Machine;
use crate::load::outcome::{Document, Finding};
use crate::load::settings::{Arrivals, Pace, Profile, RunSettings, Target, TrafficSettings};
use crate::report::text;

/// Settings and machine of a file.
pub(super) fn table(document: &Document) -> Markup {
    let settings = match &document.result {
        Finding::Run(outcome) => Some(&outcome.settings),
        Finding::Capacity(capacity) => Some(&capacity.settings),
        Finding::Compare(comparison) => Some(&comparison.settings),
        Finding::Calibrate(_) => None,
    };
    html! {
        @if let Some(settings) = settings {
            h3 { "Settings" }
            dl.facts { (rows(settings, matches!(document.result, Finding::Run(_)))) }
        }
        h3 { "Machine" }
        dl.facts { (machine(&document.machine)) }
        p.muted { "Began " (document.began) ", loadgen " (document.loadgen) "." }
    }
}

/// In a search the rate is what is looked for, in a comparison the program.
fn rows(settings: &RunSettings, single: bool) -> Markup {
    html! {
        (target(&settings.target, single))
        dt { "traffic" } dd { (traffic(&settings.traffic)) }
        dt { "threshold" } dd { (text::short(settings.traffic.threshold)) }
        dt { "pace" } dd { (pace(&settings.pace)) }
        dt { "window" } dd { (text::count(settings.window.into())) " messages in flight" }
        dt { "time" }
        dd {
            (text::seconds(settings.duration.as_secs_f64())) " measured after "
            (text::seconds(settings.warm_up.as_secs_f64())) " of warm-up; at most "
            (text::seconds(settings.drain.as_secs_f64())) " of drain"
        }
        dt { "verified" }
        dd { @if settings.verify_properties { "bodies, order and properties" } @else { "bodies and order" } }
        @if let Some(every) = settings.cut_every {
            dt { "connection cut" } dd { "every " (text::seconds(every.as_secs_f64())) }
        }
    }
}

fn target(target: &Target, single: bool) -> Markup {
    match target {
        Target::Hub { listen, plain, command } => html! {
            @if single { dt { "program" } dd { (command_line(command)) } }
            dt { "connection" }
            dd { "to " (listen) @if *plain { ", plain TCP" } @else { ", TLS" } }
        },
        Target::Broker { url, connections, topic, alerts_topic } => html! {
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
        Profile::Replay { file, time_column, value_column } => {
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

fn pace(pace: &Pace) -> String {
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
    format!("open loop, {} {spread}{}", text::rate(*rate), burst.unwrap_or_default())
}

fn machine(machine: &Machine) -> Markup {
    let known = |text: &str| if text.is_empty() { text::NONE.to_owned() } else { text.to_owned() };
    html! {
        dt { "processor" } dd { (known(&machine.processor)) ", " (text::count(machine.cores)) " cores" }
        dt { "memory" } dd { (text::kib(machine.memory_kib)) }
        dt { "system" } dd { (known(&machine.system)) ", " (known(&machine.architecture)) }
        dt { "load before" } dd { (text::number(text::float(machine.load_percent) / 100.0)) }
    }
}
