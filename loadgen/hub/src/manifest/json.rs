//! JSON text as a value, with the members that stand twice in one object.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Most members given twice that are told.
const TWICE_MAX: usize = 50;

/// A value, and the paths of members that were given more than once: the last one counts.
pub(super) fn parse(text: &str) -> Result<(Value, Vec<String>), serde_json::Error> {
    let (mut path, mut twice) = (String::new(), Vec::new());
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Seed { path: &mut path, twice: &mut twice }.deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, twice))
}

/// The library's words for a problem, without the place.
pub(super) fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place).unwrap_or(&text) {
        "recursion limit exceeded" => "nested too deep".to_owned(),
        words => words.to_owned(),
    }
}

struct Seed<'a> {
    path: &'a mut String,
    twice: &'a mut Vec<String>,
}

impl Seed<'_> {
    /// A seed for a member or item of this one's value.
    fn below(&mut self) -> Seed<'_> {
        Seed { path: self.path, twice: self.twice }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        let length = self.path.len();
        loop {
            self.path.push_str(&format!("[{}]", read.len()));
            let Some(item) = items.next_element_seed(self.below())? else { break };
            read.push(item);
            self.path.truncate(length);
        }
        self.path.truncate(length);
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        let length = self.path.len();
        while let Some(name) = members.next_key::<String>()? {
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            if read.contains_key(&name) && self.twice.len() < TWICE_MAX {
                self.twice.push(self.path.clone());
            }
            let value = members.next_value_seed(self.below())?;
            read.insert(name, value);
            self.path.truncate(length);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_given_twice_are_listed_and_the_last_counts() {
        let (value, twice) =
            parse(r#"{"a":{"b":1,"\u0062":2},"c":[0,{"d":1,"d":3}],"a2":1}"#).unwrap();
        assert_eq!(value["a"]["b"], 2);
        assert_eq!(twice, ["a.b", "c[1].d"]);
        let many = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(200));
        assert_eq!(parse(&many).unwrap().1.len(), TWICE_MAX);
    }

    #[test]
    fn what_the_library_refuses_is_refused() {
        for text in ["", "{", "1 2", "{\"a\":1,}", "nul", "// x\n{}", "[1e999]"] {
            let ours = parse(text).unwrap_err().to_string();
            assert_eq!(ours, serde_json::from_str::<Value>(text).unwrap_err().to_string());
            assert!(!words(&parse(text).unwrap_err()).contains("line"), "{text}");
        }
        let deep = "[".repeat(100_000);
        let error = parse(&deep).unwrap_err();
        assert_eq!(words(&error), "nested too deep", "and no stack is used up");
    }

    proptest! {
        /// Every value reads as the library reads it.
        #[test]
        fn values_read_as_usual(text in "[\\[\\]{}:,\"a0-9.e-]{0,16}") {
            let usual = serde_json::from_str::<Value>(&text).ok();
            prop_assert_eq!(parse(&text).ok().map(|(value, _)| value), usual);
        }
    }
}
