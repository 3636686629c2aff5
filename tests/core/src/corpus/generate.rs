//! Bodies that nobody thought of, drawn from a seeded generator.
//!
//! All draws are made from 32-bit ranges, so that a 32-bit machine gets the same bytes.

use std::fmt::Write;

use super::{CorpusEntry, Kind, THRESHOLDS};

/// What a run of generated bodies consists of, in turn.
const KINDS: [Kind; 12] = [
    Kind::Normal,
    Kind::Mutated,
    Kind::Boundary,
    Kind::Malformed,
    Kind::Normal,
    Kind::DuplicateKeys,
    Kind::Mutated,
    Kind::HugeNumber,
    Kind::Boundary,
    Kind::Unicode,
    Kind::Shape,
    Kind::PythonConstant,
];

/// Draws bodies; the n-th body depends on the seed and on n alone.
pub(super) struct Generator {
    random: fastrand::Rng,
    drawn: usize,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), drawn: 0 }
    }

    pub(super) fn entry(&mut self) -> CorpusEntry {
        let kind = KINDS[self.drawn % KINDS.len()];
        self.drawn += 1;
        let body = match kind {
            Kind::Mutated => self.mutated(),
            Kind::Malformed => self.malformed(),
            _ => self.valid(kind).into_bytes(),
        };
        CorpusEntry { body, kind }
    }

    /// A body of `kind`, valid for Python at least.
    fn valid(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Boundary => {
                let temperature = self.boundary();
                self.message(&temperature)
            }
            Kind::HugeNumber => {
                let temperature = self.huge();
                self.message(&temperature)
            }
            Kind::DuplicateKeys => self.duplicate_keys(),
            Kind::Unicode => self.unicode(),
            Kind::Shape => self.shape(),
            Kind::PythonConstant => self.python_constant(),
            _ => {
                let temperature = self.plain_number();
                self.message(&temperature)
            }
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u32::try_from(bound).expect("the generator's own tables are short");
        self.random.u32(..bound) as usize
    }

    fn pick<'t>(&mut self, table: &[&'t str]) -> &'t str {
        table[self.below(table.len())]
    }

    /// The sensor's message in one of the layouts that JSON writers have.
    fn message(&mut self, temperature: &str) -> String {
        let (pressure, ambient) = (self.plain_number(), self.plain_number());
        let humidity = self.random.u32(24..27);
        let second = self.random.u32(10..60);
        let text = format!(
            concat!(
                r#"{{"machine":{{"temperature":{temperature},"pressure":{pressure}}}"#,
                r#","ambient":{{"temperature":{ambient},"humidity":{humidity}}}"#,
                r#","timeCreated":"2026-01-02T03:04:{second}Z"}}"#
            ),
            ambient = ambient,
            humidity = humidity,
            pressure = pressure,
            second = second,
            temperature = temperature
        );
        match self.below(4) {
            0 => text.replace(",\"", ", \"").replace("\":", "\": "),
            1 => text.replace(",\"", ",\r\n\t\"").replace('{', "{\n") + "\n",
            _ => text,
        }
    }

    /// What a sensor could measure.
    fn plain_number(&mut self) -> String {
        let thousandths = self.random.i32(-20_000..120_000);
        match self.below(4) {
            0 => format!("{}", thousandths / 1_000),
            1 => format!("{:.1}", f64::from(thousandths) / 1_000.0),
            2 => format!("{}", f64::from(thousandths) / 3_000.0),
            _ => format!("{}", f64::from(thousandths) / 1_000.0),
        }
    }

    /// A number at most a few steps away from a threshold.
    fn boundary(&mut self) -> String {
        let threshold = THRESHOLDS[self.below(THRESHOLDS.len())];
        let value = match self.below(5) {
            0 => threshold.next_up(),
            1 => threshold.next_down(),
            2 => threshold.floor() + 1.0,
            _ => threshold,
        };
        let value = if value.is_finite() { value } else { threshold };
        match self.below(6) {
            0 => format!("{value:.0}"),
            1 => format!("{value:.1}"),
            2 => format!("{value:e}"),
            3 => format!("{value:E}").replace('E', "E+").replace("+-", "-"),
            // Half a step above or below, to be rounded.
            4 => format!("{value:.60}{}", self.below(10)),
            _ => format!("{value}"),
        }
    }

    /// A number that does not fit into 64 bits of anything.
    fn huge(&mut self) -> String {
        let sign = self.pick(&["", "", "-"]);
        let digits = 1 + self.below(60);
        let whole = self.digits(digits);
        match self.below(5) {
            0 => format!("{sign}{whole}"),
            1 => format!("{sign}{whole}{}", "0".repeat(self.below(320))),
            2 => {
                let places = 1 + self.below(60);
                format!("{sign}{whole}.{:0>places$}", self.below(1_000_000))
            }
            3 => format!("{sign}{whole}{}{}", self.pick(&["e", "E", "e+", "e-"]), self.below(400)),
            _ => {
                let exponent = 4_294_967_290 + u64::from(self.random.u32(..20));
                format!("{sign}{}{}{exponent}", self.digits(2), self.pick(&["e", "E-"]))
            }
        }
    }

    fn digits(&mut self, count: usize) -> String {
        let first = self.random.u32(1..10);
        (1..count).fold(first.to_string(), |mut text, _| {
            let _ = write!(text, "{}", self.random.u32(..10));
            text
        })
    }

    /// Several temperatures in several machines.
    fn duplicate_keys(&mut self) -> String {
        let mut machines = Vec::new();
        for _ in 0..1 + self.below(3) {
            let mut members = Vec::new();
            for _ in 0..self.below(4) {
                let key = self.pick(&[
                    "temperature",
                    "temperature",
                    "temp\\u0065rature",
                    "pressure",
                    "temperature ",
                ]);
                let value = if self.below(8) == 0 { self.odd_value() } else { self.plain_number() };
                members.push(format!(r#""{key}":{value}"#));
            }
            let key = self.pick(&["machine", "machine", "m\\u0061chine", "ambient"]);
            machines.push(match self.below(10) {
                0 => format!(r#""{key}":{}"#, self.odd_value()),
                _ => format!(r#""{key}":{{{}}}"#, members.join(",")),
            });
        }
        format!("{{{}}}", machines.join(", "))
    }

    /// A value that is no number.
    fn odd_value(&mut self) -> String {
        const VALUES: &[&str] = &[
            "true",
            "false",
            "null",
            "\"26\"",
            "\"\"",
            "[]",
            "{}",
            "[26]",
            "{\"temperature\":26}",
            "\"temperature\"",
            "[\"temperature\",\"machine\"]",
            "[[],[{}],\"\"]",
        ];
        self.pick(VALUES).to_owned()
    }

    /// A message in the middle of all kinds of text.
    fn unicode(&mut self) -> String {
        let (key, value, temperature) = (self.string(), self.string(), self.plain_number());
        let (last, note) = (self.string(), self.string());
        match self.below(4) {
            0 => {
                format!(r#"{{"machine":{{"temperature{last}":{temperature}}},"{key}":"{value}"}}"#)
            }
            1 => format!(
                concat!(
                    r#"{{"{key}":"{value}","machine":{{"{last}":"{note}""#,
                    r#","temperature":{temperature}}}}}"#
                ),
                key = key,
                last = last,
                note = note,
                temperature = temperature,
                value = value
            ),
            2 => format!(
                concat!(
                    r#"{{"machine":{{"temperature":{temperature}}},"{key}":{{"{value}""#,
                    r#":["{last}","{note}"]}}}}"#
                ),
                key = key,
                last = last,
                note = note,
                temperature = temperature,
                value = value
            ),
            _ => format!(
                r#"{{"machine":{{"temperature":"{temperature}{value}"}},"{key}":"{note}"}}"#
            ),
        }
    }

    /// The inside of a JSON string.
    fn string(&mut self) -> String {
        const PIECES: &[&str] = &[
            "a",
            "temperature",
            " ",
            "é",
            "ß",
            "€",
            "漢字",
            "😀",
            "\u{7f}",
            "\u{80}",
            "\u{2028}",
            "\u{feff}",
            "\u{ffff}",
            "\u{10ffff}",
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "/",
            "'",
            r"\\",
            r"\/",
            r#"\""#,
            r"\b",
            r"\f",
            r"\n",
            r"\r",
            r"\t",
            r"\u0041",
            r"\u0000",
            r"\u00e9",
            r"\u20AC",
            r"\uD83D\uDE00",
            r"\ud800",
            r"\udfff",
            r"\ud83d\u0041",
            r"\ud800\ue000",
            r"\uffff",
        ];
        (0..self.below(12)).map(|_| self.pick(PIECES)).collect()
    }

    /// Valid JSON in which something else stands on the way to the temperature.
    fn shape(&mut self) -> String {
        let (odd, other) = (self.odd_value(), self.odd_value());
        let number = self.plain_number();
        match self.below(6) {
            0 => odd,
            1 => format!(r#"{{"machine":{odd},"temperature":{number}}}"#),
            2 => format!(r#"{{"machine":{{"temperature":{odd},"pressure":{other}}}}}"#),
            3 => format!(
                r#"{{"ambient":{odd},"machine":{{"pressure":{other},"temperature":{number}}}}}"#
            ),
            4 => format!(r#"[{odd},{{"machine":{{"temperature":{number}}}}}]"#),
            _ => format!(r#"{{"data":{{"machine":{{"temperature":{number}}}}},"machine":{{}}}}"#),
        }
    }

    fn python_constant(&mut self) -> String {
        let (constant, number) =
            (self.pick(&["NaN", "Infinity", "-Infinity"]), self.plain_number());
        match self.below(3) {
            0 => self.message(constant),
            1 => format!(r#"{{"machine":{{"temperature":{number},"pressure":{constant}}}}}"#),
            _ => format!(
                r#"{{"readings":[{number},{constant}],"machine":{{"temperature":{number}}}}}"#
            ),
        }
    }

    /// A valid body with one gross defect.
    fn malformed(&mut self) -> Vec<u8> {
        const JUNK: &[&str] = &[
            "x", "\0", "\u{c}", "\u{a0}", "\u{feff}", "}", "]", ",", "\"", "\\", "1", "'", "//",
            "NULL", "\u{1}",
        ];
        let number = self.plain_number();
        let message = self.message(&number);
        let at = self.below(message.len());
        match self.below(5) {
            0 => message.as_bytes()[..at].to_vec(),
            1 => (message + self.pick(JUNK)).into_bytes(),
            2 => [self.pick(JUNK), message.as_str()].concat().into_bytes(),
            3 => [&message[..at], self.pick(JUNK), &message[at..]].concat().into_bytes(),
            _ => {
                let mut bytes = message.into_bytes();
                bytes[at] = self.random.u8(128..);
                bytes
            }
        }
    }

    /// A valid body with one to four bytes overwritten, inserted or removed.
    fn mutated(&mut self) -> Vec<u8> {
        const BYTES: &[u8] = b"\0\t\n\x0b\x0c\r\x1f \"\\/{}[]:,-+.eE0123456789truefalsnu\
            \x7f\x80\xc3\xa9\xed\xa0\xf0\xff";
        let kind = [
            Kind::Normal,
            Kind::Boundary,
            Kind::HugeNumber,
            Kind::Unicode,
            Kind::Shape,
            Kind::DuplicateKeys,
        ][self.below(6)];
        let mut body = self.valid(kind).into_bytes();
        for _ in 0..1 + self.below(4) {
            let at = self.below(body.len() + 1);
            let byte = if self.below(3) == 0 {
                self.random.u8(..)
            } else {
                BYTES[self.below(BYTES.len())]
            };
            match self.below(3) {
                0 => body.insert(at, byte),
                1 if at < body.len() => body[at] = byte,
                _ if at < body.len() => drop(body.remove(at)),
                _ => {}
            }
        }
        body
    }
}
