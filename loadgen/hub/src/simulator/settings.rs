//! Settings of the simulated sensor, from the module's environment variables.

use std::collections::BTreeMap;
use std::time::Duration;

/// Longest `MessageDelay` accepted: one day.
const MESSAGE_DELAY_MAX: Duration = Duration::from_secs(86_400);

/// The sensor's settings; the defaults are those of the module, save that it never stops.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatorSettings {
    /// `MessageDelay`: time between two messages (5 s).
    pub message_delay: Duration,
    /// `MessageCount`: messages until it falls silent; `None` (the default here) is unlimited,
    /// because a sensor that stops after 500 messages only puzzles. The module's own default is
    /// 500.
    pub message_count: Option<u64>,
    /// `machineTempMin`, °C (21).
    pub machine_temperature_min: f64,
    /// `machineTempMax`, °C (100).
    pub machine_temperature_max: f64,
    /// `machinePressureMin` (1).
    pub machine_pressure_min: f64,
    /// `machinePressureMax` (10).
    pub machine_pressure_max: f64,
    /// `ambientTemp`, °C (21).
    pub ambient_temperature: f64,
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        Self {
            message_delay: Duration::from_secs(5),
            message_count: None,
            machine_temperature_min: 21.0,
            machine_temperature_max: 100.0,
            machine_pressure_min: 1.0,
            machine_pressure_max: 10.0,
            ambient_temperature: 21.0,
        }
    }
}

impl SimulatorSettings {
    /// Reads the module's variables over these defaults.
    ///
    /// # Errors
    /// One text per bad variable, all of them.
    pub fn with_environment(mut self, env: &BTreeMap<String, String>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        if let Some(text) = env.get("MessageDelay") {
            match parse_time_span(text).filter(|delay| *delay <= MESSAGE_DELAY_MAX) {
                Some(delay) => self.message_delay = delay,
                None => problems.push(format!(
                    "MessageDelay `{text}`: expected hh:mm:ss of at most one day, as 00:00:05"
                )),
            }
        }
        if let Some(text) = env.get("MessageCount") {
            match text.trim().parse::<i64>() {
                Ok(count) => self.message_count = u64::try_from(count).ok(),
                Err(_) => problems
                    .push(format!("MessageCount `{text}`: expected a number, -1 for unlimited")),
            }
        }
        for (name, slot) in [
            ("machineTempMin", &mut self.machine_temperature_min),
            ("machineTempMax", &mut self.machine_temperature_max),
            ("machinePressureMin", &mut self.machine_pressure_min),
            ("machinePressureMax", &mut self.machine_pressure_max),
            ("ambientTemp", &mut self.ambient_temperature),
        ] {
            let Some(text) = env.get(name) else { continue };
            match text.trim().parse::<f64>() {
                Ok(value) if value.is_finite() => *slot = value,
                _ => problems.push(format!("{name} `{text}`: expected a number")),
            }
        }
        if self.machine_temperature_min >= self.machine_temperature_max {
            problems.push("machineTempMin must be below machineTempMax".to_owned());
        }
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }
}

/// .NET TimeSpan as far as the sensor needs it: `hh:mm:ss` with an optional fraction.
fn parse_time_span(text: &str) -> Option<Duration> {
    let [hours, minutes, seconds] = text.trim().split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let digits = seconds.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    let in_range = hours <= 24 && minutes < 60 && seconds < Duration::from_secs(60);
    (digits && in_range).then(|| Duration::from_secs(hours * 3600 + minutes * 60) + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn variables_override_defaults() {
        let env = env(&[
            ("MessageDelay", "00:00:00.25"),
            ("MessageCount", "7"),
            ("machineTempMin", "10"),
            ("machineTempMax", "20.5"),
            ("ambientTemp", "-3"),
        ]);
        let settings = SimulatorSettings::default().with_environment(&env).unwrap();
        assert_eq!(settings.message_delay, Duration::from_millis(250));
        assert_eq!(settings.message_count, Some(7));
        assert_eq!(
            (settings.machine_temperature_min, settings.machine_temperature_max),
            (10., 20.5)
        );
        assert_eq!(settings.ambient_temperature, -3.0);
    }

    #[test]
    fn negative_count_is_unlimited() {
        let settings = SimulatorSettings { message_count: Some(3), ..Default::default() };
        let settings = settings.with_environment(&env(&[("MessageCount", "-1")])).unwrap();
        assert_eq!(settings.message_count, None);
    }

    #[test]
    fn every_bad_variable_is_reported() {
        let env = env(&[
            ("MessageDelay", "5 s"),
            ("MessageCount", "many"),
            ("machineTempMin", "inf"),
            ("machineTempMax", "5"),
        ]);
        let problems = SimulatorSettings::default().with_environment(&env).unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
    }

    #[test]
    fn time_span_table() {
        let table = [
            ("00:00:05", Some(5.0)),
            ("1:02:03.5", Some(3723.5)),
            ("24:00:00", Some(86_400.0)),
            ("00:60:00", None),
            ("00:00:60", None),
            ("00:00:-1", None),
            ("00:00:1e1", None),
            ("5", None),
            ("", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse_time_span(text).map(|d| d.as_secs_f64()), seconds, "{text}");
        }
    }
}
